// Ctrl-C, closed pipes and terminals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> kLongAnswer = {
    "run", "--raw", "-p", "The", "--ignore-eos", "--temp", "1", "--isa", "scalar", "-t", "1"};

// A second or more at the scalar table's pace.
std::vector<std::string> LongPrompt(const Folder& folder, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += "The quick brown fox jumps over the lazy dog. ";
  return {"run",    "--raw", "-f", folder.Write("long.txt", text), "-n", "1", "--isa",
          "scalar", "-t",    "1"};
}

TEST(InterruptTest, EndsALongAnswerWithTheReport) {
  Process process(Flashmoe(kLongAnswer));
  ASSERT_TRUE(process.AwaitOutput(40));
  const double asked = NowSeconds();
  process.Signal(SIGINT);
  const ProcessResult r = process.Finish();
  EXPECT_LT(NowSeconds() - asked, kSanitized ? 20 : 5);
  EXPECT_EQ(r.exit_code, 130);
  EXPECT_EQ(r.out.back(), '\n');
  EXPECT_THAT(r.err, HasSubstr("peak memory"));
  EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << r.err;
}

TEST(InterruptTest, JsonSaysThatItWasCancelled) {
  auto arguments = kLongAnswer;
  arguments.push_back("--json");
  Process process(Flashmoe(arguments));
  usleep(1'000'000);
  process.Signal(SIGTERM);
  const ProcessResult r = process.Finish();
  EXPECT_EQ(r.exit_code, 130);
  if (r.err.empty()) {  // else the second was too short for loading
    EXPECT_EQ(nlohmann::json::parse(r.out)["finish_reason"], "cancelled");
  }
}

// Start, loading, prompt: whenever the signal comes, the end comes soon and is one of the two that
// a shell knows as an interrupt.
TEST(InterruptTest, IsHeardAtAnyMoment) {
  const Folder folder;
  const auto arguments = LongPrompt(folder, 12'000);
  int with_code = 0;
  for (int delay_ms = 0; delay_ms <= 600; delay_ms += 60) {
    Process process(Flashmoe(arguments));
    usleep(delay_ms * 1000);
    const double asked = NowSeconds();
    process.Signal(SIGINT);
    const ProcessResult r = process.Finish();
    EXPECT_LT(NowSeconds() - asked, kSanitized ? 30 : 5) << delay_ms;
    EXPECT_TRUE(r.exit_code == 130 || r.signal == SIGINT)
        << delay_ms << " ms: " << r.exit_code << " " << r.signal << " " << r.err;
    EXPECT_THAT(r.err, Not(HasSubstr("error"))) << delay_ms;
    with_code += r.exit_code == 130;
  }
  EXPECT_GT(with_code, 0);
}

TEST(InterruptTest, EndsWaitingForStandardInput) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);  // a stdin that nobody writes to
  const std::string shell = "exec \"$0\" run - < /dev/fd/" + std::to_string(ends[0]);
  Process process({"/bin/sh", "-c", shell, FLASHMOE_BINARY}, {.seconds_max = 60});
  usleep(kSanitized ? 3'000'000 : 1'000'000);
  process.Signal(SIGINT);
  const ProcessResult r = process.Finish();
  close(ends[0]);
  close(ends[1]);
  EXPECT_FALSE(r.timed_out);
  EXPECT_EQ(r.exit_code, 130) << r.signal << r.err;
  EXPECT_EQ(r.err, "flashmoe: interrupted\n");
}

TEST(OutputTest, AClosedPipeEndsTheAnswerWithAnError) {
  Process process(Flashmoe(kLongAnswer), {.seconds_max = 60});
  ASSERT_TRUE(process.AwaitOutput(10));
  process.CloseOutput();
  EXPECT_THAT(ExpectRefusal(process.Finish()), HasSubstr("standard output"));
}

TEST(OutputTest, AFullDiskIsAnErrorForEveryCommand) {
  const Folder folder;
  const std::string text = folder.Write("text", "The cat sat on the mat.");
  const std::string request = folder.Write("r.json", R"({"messages":[]})");
  const std::string jinja = folder.Write("t.jinja", "hello");
  const std::vector<std::vector<std::string>> commands = {
      {"run", "-p", "Hi", "-n", "3"},
      {"run", "-p", "Hi", "-n", "3", "--json"},
      {"eval", "--text", text, "--top-logprobs", "500", "--json"},
      {"info"},
      {"info", "--json"},
      {"tokenize", "-f", text},
      {"prompt", "--template", jinja, "--request", request},
      {"--help"}};
  for (const auto& command : commands) {
    const ProcessResult r = RunFlashmoe(command, {.out_path = "/dev/full"});
    SCOPED_TRACE(testing::PrintToString(command));
    EXPECT_THAT(ExpectRefusal(r), HasSubstr("standard output"));
  }
}

TEST(ProgressTest, ATerminalSeesABarForALongPromptOnly) {
  if (!HasTerminals()) GTEST_SKIP() << "no pseudo-terminal can be opened here";
  const Folder folder;
  const ProcessResult bar = RunFlashmoe(LongPrompt(folder, 6000), {.err_terminal = true});
  EXPECT_EQ(bar.exit_code, 0);
  EXPECT_THAT(bar.err, HasSubstr("reading prompt ["));
  EXPECT_THAT(bar.err, testing::ContainsRegex(" tokens, [0-9]+ s, disk [0-9.]+ GB/s"));
  const std::string after_the_bar = bar.err.substr(bar.err.rfind("\x1b[K") + 3);
  EXPECT_THAT(after_the_bar, testing::ContainsRegex("^[0-9]+ prompt tokens .*MB of"));
}

TEST(ProgressTest, APipeSeesNone) {
  const Folder folder;
  const ProcessResult r = RunFlashmoe(LongPrompt(folder, 6000));
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_THAT(r.err, Not(HasSubstr("\r")));
  EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << r.err;
}

}  // namespace
}  // namespace flashmoe::e2e
