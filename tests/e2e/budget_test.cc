// The memory budget is a promise, and nothing but speed depends on it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>

#include "kernels/kernels.h"
#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr uint64_t kMB = 1'000'000;

// An answer of 24 tokens to the usual question.
ProcessResult Answer(const std::vector<std::string>& more) {
  std::vector<std::string> all = {
      "run", "-p", std::string(kQuestion), "--temp", "0", "-n", "24", "--ctx", "1024", "--json"};
  all.insert(all.end(), more.begin(), more.end());
  return RunFlashmoe(all);
}

// The smallest budget, in MB, as the program names it when it gets less.
uint64_t FloorMB(const std::vector<std::string>& more = {}) {
  auto arguments = more;
  arguments.insert(arguments.end(), {"--memory", "1MB"});
  const std::string line = ExpectRefusal(Answer(arguments));
  std::smatch match;
  EXPECT_TRUE(std::regex_search(line, match, std::regex("pass --memory ([0-9]+)MB or more")))
      << line;
  return match.empty() ? 0 : std::stoull(match[1]);
}

void ExpectBudgetHeld(const ProcessResult& r, const json& j) {
  if (kSanitized) return;
  const auto budget = j["memory"]["budget_bytes"].get<uint64_t>();
  EXPECT_LE(j["memory"]["peak_bytes"].get<uint64_t>(), budget) << j["plan"]["text"];
  EXPECT_LE(r.rss_max_bytes, budget) << j["plan"]["text"];
}

TEST(BudgetTest, TheBundledModelRunsInLessThanItsFileUnlessToldOtherwise) {
  const ProcessResult r = Answer({});
  const json j = ExpectJson(r);
  EXPECT_EQ(j["plan"]["budget_given"], false);
  // The budget has room for the program as it was when planned, which varies by two megabytes with
  // how the page cache holds it.
  if (!kSanitized) {
    EXPECT_LT(j["memory"]["peak_bytes"].get<uint64_t>(), std::filesystem::file_size(Ember()));
  }
  ExpectBudgetHeld(r, j);
}

TEST(BudgetTest, AnyBudgetGivesTheSameAnswerAndIsHeld) {
  const uint64_t floor = FloorMB();
  ASSERT_GT(floor, 0u);
  const json all = ExpectJson(Answer({"--model", Ember()}));
  EXPECT_EQ(all["plan"]["slots"], all["plan"]["slots_all"]);
  int64_t hits_before = -1;
  for (const uint64_t budget : {floor, floor + 4, floor + 8, floor + 15, floor + 60}) {
    // Whether a guess is there in time would depend on the disk.
    const ProcessResult r =
        Answer({"--memory", std::to_string(budget) + "MB", "--prefetch", "off"});
    const json j = ExpectJson(r);
    SCOPED_TRACE(budget);
    EXPECT_EQ(j["memory"]["budget_bytes"], budget * kMB);
    ExpectBudgetHeld(r, j);
    EXPECT_EQ(j["tokens"], all["tokens"]);
    EXPECT_EQ(j["text"], all["text"]);
    EXPECT_GE(j["experts"]["hits"], hits_before);
    hits_before = j["experts"]["hits"];
  }
}

TEST(BudgetTest, LongPromptsAndContextsStayInIt) {
  const Folder folder;
  std::string text;
  const size_t length = kSanitized ? 3000 : 16000;  // bytes
  while (text.size() < length) text += "The quick brown fox jumps over the lazy dog. ";
  const std::string file = folder.Write("long.txt", text);
  json first;
  for (const uint64_t budget : {40, 56, 120}) {
    const ProcessResult r = RunFlashmoe({"run", "--raw", "-f", file, "-n", "4", "--temp", "0",
                                         "--memory", Budget(budget), "--json"});
    const json j = ExpectJson(r);
    ExpectBudgetHeld(r, j);
    EXPECT_GT(j["prompt_tokens"], length / 6);
    if (first.is_null()) first = j["tokens"];
    EXPECT_EQ(j["tokens"], first) << budget;
  }
}

TEST(BudgetTest, TheSmallestBudgetIsNamedAndWorks) {
  const uint64_t floor = FloorMB();
  // Some of what is named is room for what differs from run to run.
  const std::string below =
      ExpectRefusal(Answer({"--memory", std::to_string(floor * 4 / 5) + "MB"}));
  EXPECT_THAT(below, HasSubstr("too little"));
  EXPECT_EQ(Answer({"--memory", std::to_string(floor) + "MB"}).exit_code, 0);
}

TEST(BudgetTest, ReadersAndThreadsChangeNothingButSpeed) {
  const std::string budget = std::to_string(FloorMB() + 2) + "MB";
  const json want = ExpectJson(Answer({}))["tokens"];
  for (const char* io : {"uring", "pread", "mmap"}) {
    for (const char* threads : {"1", "2", "3"}) {
      const ProcessResult r = Answer({"--io", io, "--threads", threads, "--memory", budget});
      SCOPED_TRACE(std::string(io) + " " + threads);
      if (r.exit_code == 1 && r.err.find("io_uring") != std::string::npos) continue;
      const json j = ExpectJson(r);
      EXPECT_THAT(j["plan"]["reader"].get<std::string>(), testing::StartsWith(io));
      EXPECT_EQ(j["tokens"], want);
      ExpectBudgetHeld(r, j);
    }
  }
}

TEST(BudgetTest, WhereIoUringIsForbiddenThreadsRead) {
  const std::string budget = std::to_string(FloorMB() + 2) + "MB";
  const json want = ExpectJson(Answer({}))["tokens"];
  const std::vector<std::string> arguments = {"run",    "-p",       std::string(kQuestion),
                                              "--temp", "0",        "-n",
                                              "24",     "--ctx",    "1024",
                                              "--json", "--memory", budget};
  const json forbidden = ExpectJson(RunFlashmoe(arguments, {.io_uring = false}));
  EXPECT_EQ(forbidden["plan"]["reader"], "pread direct");
  EXPECT_EQ(forbidden["tokens"], want);
  auto asked = arguments;
  asked.insert(asked.end(), {"--io", "uring"});
  EXPECT_THAT(ExpectRefusal(RunFlashmoe(asked, {.io_uring = false})), HasSubstr("--io pread"));
  EXPECT_EQ(ExpectJson(RunFlashmoe(arguments, {.low_lock_limit = true}))["tokens"], want);
}

TEST(BudgetTest, ThePageCacheIsUsedAsAskedAndChangesNothingButSpeed) {
  const json want = ExpectJson(Answer({}))["tokens"];
  for (const char* cache : {"auto", "direct", "page"}) {
    for (const std::vector<std::string>& more :
         {std::vector<std::string>{}, {"--memory", Budget(36)}, {"--model", Ember()}}) {
      auto arguments = more;
      arguments.insert(arguments.end(), {"--cache", cache});
      const json j = ExpectJson(Answer(arguments));
      EXPECT_EQ(j["tokens"], want) << cache;
      EXPECT_NE(j["plan"]["cache_reason"], "");
      if (std::string(cache) == "page") {
        EXPECT_EQ(j["plan"]["cache"], "page");
      }
      EXPECT_EQ(j["plan"]["disk"]["probed"], false) << "the bundled model is read sooner";
    }
  }
}

TEST(BudgetTest, EveryInstructionSetIsRepeatable) {
  for (const KernelTable* table : AvailableKernels()) {
    const std::string isa(table->name);
    const json want = ExpectJson(Answer({"--isa", isa}));
    EXPECT_EQ(want["plan"]["kernels"], isa);
    const ProcessResult r = Answer({"--isa", isa, "-t", "3", "--memory", Budget(48)});
    const json j = ExpectJson(r);
    EXPECT_EQ(j["tokens"], want["tokens"]) << isa;
    ExpectBudgetHeld(r, j);
  }
}

}  // namespace
}  // namespace flashmoe::e2e
