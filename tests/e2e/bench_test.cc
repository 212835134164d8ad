// flashmoe bench, bench kernels and plan.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::vector<std::string> Bench(std::vector<std::string> more) {
  std::vector<std::string> arguments = {
      "bench", "--tokens", "8", "--prompt-tokens", "16,80", "--memory", Budget(100), "-t", "2"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(BenchTest, JsonHasRunsWhosePartsAddUp) {
  const json j = ExpectJson(RunFlashmoe(Bench({"--repetitions", "2", "--json"})));
  EXPECT_GT(j["machine"]["disk_gbps"], 0);
  EXPECT_GT(j["machine"]["memory_gbps"], 0);
  EXPECT_TRUE(j["machine"]["experts"].contains("Q4_K"));
  ASSERT_EQ(j["budgets"].size(), 1u);
  const json& budget = j["budgets"][0];
  EXPECT_EQ(budget["budget_bytes"], BudgetBytes(100));
  if (!kSanitized) {
    EXPECT_GT(budget["peak_bytes"], 0);
  }
  std::vector<std::string> names;
  for (const json& series : budget["series"]) {
    names.push_back(series["scenario"]);
    EXPECT_GT(series["tokens_per_s"], 0);
    EXPECT_GE(series["tokens_per_s_most"], series["tokens_per_s_least"]);
    const bool cold = series["scenario"] == "cold" || series["scenario"] == "first-prefill";
    EXPECT_EQ(series["predicted_tokens_per_s"].is_null(), cold);
    EXPECT_GT(series["roof_share"], 0);
    EXPECT_EQ(series["speed_kept_while_reading"].is_null(),
              series["roof_while_reading_tokens_per_s"].is_null());
    ASSERT_EQ(series["runs"].size(), 2u);
    for (const json& run : series["runs"]) {
      const double seconds = run["seconds"];
      double sum = 0;
      for (const auto& [name, part] : run["parts_s"].items()) sum += part.get<double>();
      EXPECT_NEAR(sum, seconds, 0.01 * seconds);
      EXPECT_NEAR(run["disk_s"]["busy"].get<double>() + run["disk_s"]["idle"].get<double>(),
                  seconds, 1e-6);
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"cold", "warm", "varied", "first-prefill",
                                             "first-prefill", "prefill", "prefill"}));
  EXPECT_GT(budget["series"][0]["bytes_read_per_token"], 0);
  // What the first texts did not want may still be on its way.
  EXPECT_LT(budget["series"][1]["bytes_read_per_token"],
            0.1 * budget["series"][0]["bytes_read_per_token"].get<double>());
}

TEST(BenchTest, BudgetsInTurnAndReportsAsFiles) {
  const Folder folder;
  const std::string html = folder.File("report.html"), csv = folder.File("runs.csv");
  const ProcessResult r = RunFlashmoe({"bench", "--tokens", "6", "--scenarios", "cold,varied",
                                       "--memory", Budget(40) + "," + Budget(100), "--repetitions",
                                       "2", "--html", html, "--csv", csv});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  for (const char* part : {"tokens/s", "roof", "predicted", "decode 6, cold", "decode 6, varied",
                           "ms a token =", "GB/s"}) {
    EXPECT_THAT(r.out, HasSubstr(part));
  }
  const std::string page = ReadFile(html);
  EXPECT_THAT(page, testing::StartsWith("<!doctype html>"));
  EXPECT_THAT(page, HasSubstr("</html>"));
  std::istringstream rows(ReadFile(csv));
  std::string row;
  std::vector<std::string> all;
  while (std::getline(rows, row)) all.push_back(row);
  ASSERT_EQ(all.size(), 1u + 2 * 2 * 2);
  for (const std::string& one : all) {
    EXPECT_EQ(std::count(one.begin(), one.end(), ','),
              std::count(all[0].begin(), all[0].end(), ','));
  }
  EXPECT_THAT(all[1], testing::StartsWith(std::to_string(BudgetBytes(40)) + ",cold,1,6,0,"));
}

TEST(BenchTest, TakesATextOrIds) {
  const Folder folder;
  const std::string text = folder.Write("text", "One two three four five six seven eight nine.");
  const auto decode = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"bench", "--scenarios", "warm", "--repetitions", "1", "--tokens"});
    return RunFlashmoe(more);
  };
  const json by_text = ExpectJson(decode({"6", "--decode-text", text, "--json"}));
  EXPECT_EQ(by_text["budgets"][0]["series"][0]["tokens"], 6);
  const json ids = ExpectJson(RunFlashmoe({"tokenize", "-f", text, "--json"}));
  const std::string file = folder.Write("ids.json", ids.dump());
  ExpectJson(decode({"6", "--at", "2", "--decode-ids", file, "--json"}));
  EXPECT_THAT(ExpectRefusal(decode({"400", "--decode-text", text})),
              HasSubstr("the runs read 400"));
  EXPECT_EQ(decode({"6", "--decode-text", text, "--decode-ids", file}).exit_code, 2);
}

TEST(BenchTest, WhatCannotBeIsRefused) {
  const Folder folder;
  EXPECT_THAT(ExpectRefusal(RunFlashmoe({"bench", "--memory", "1MB"})), HasSubstr("--memory"));
  ExpectRefusal(RunFlashmoe({"bench", "-m", folder.File("none.gguf")}));
  const std::string nowhere = folder.File("no/page.html");
  EXPECT_THAT(ExpectRefusal(RunFlashmoe(
                  Bench({"--scenarios", "warm", "--repetitions", "1", "--html", nowhere}))),
              HasSubstr("could not be written"));
}

TEST(PlanTest, AgreesWithTheEngineOnTheBundledModel) {
  const json plan = ExpectJson(RunFlashmoe({"plan", "--memory", Budget(60), "--json"}));
  const json run =
      ExpectJson(RunFlashmoe({"run", "-p", "Hi", "-n", "1", "--memory", Budget(60), "--ctx",
                              std::to_string(plan["memory"]["context"].get<int>()), "--json"}));
  EXPECT_EQ(plan["memory"]["dense_bytes"], run["plan"]["dense_bytes"]);
  EXPECT_EQ(plan["memory"]["state_bytes"], run["plan"]["state_bytes"]);
  EXPECT_EQ(plan["memory"]["slots_all"], run["plan"]["slots_all"]);
  EXPECT_GT(plan["decode"]["tokens_per_s"], 0);
  EXPECT_LE(plan["decode"]["tokens_per_s"], plan["decode"]["roofs_tokens_per_s"]["memory"]);
}

TEST(PlanTest, TellsOfAModelThatIsNotThere) {
  const std::vector<std::string> arguments = {"plan",     "--geometry",  "qwen3.5-397b-a17b",
                                              "--memory", "24GB",        "--experts-type",
                                              "iq2_xxs",  "--disk-gbps", "5.5"};
  const ProcessResult r = RunFlashmoe(arguments);
  EXPECT_EQ(r.exit_code, 0) << r.err;
  for (const char* part : {"512 experts, 10 a token", "it runs", "an expectation", "tokens/s",
                           "5.50 GB/s", "What would help", "past the page cache"}) {
    EXPECT_THAT(r.out, HasSubstr(part));
  }
  std::vector<std::string> with_json = arguments;
  with_json.emplace_back("--json");
  const json j = ExpectJson(RunFlashmoe(with_json));
  EXPECT_EQ(j["experts_per_token"], 10);
  EXPECT_EQ(j["machine"]["disk_reader"], "given");
  EXPECT_GT(j["file_bytes"], 100'000'000'000);
  EXPECT_LT(j["decode"]["hit_rate"], 0.6);
  EXPECT_GE(j["remedies"].size(), 1u);  // which help depends on the machine
}

TEST(PlanTest, WhatCannotBeIsRefused) {
  EXPECT_THAT(ExpectRefusal(RunFlashmoe({"plan", "--geometry", "qwen9"})), HasSubstr("known are"));
  EXPECT_THAT(ExpectRefusal(
                  RunFlashmoe({"plan", "--geometry", "qwen3.5-35b-a3b", "--experts-type", "q9_z"})),
              HasSubstr("no type 'q9_z'"));
  EXPECT_THAT(ExpectRefusal(RunFlashmoe({"plan", "--geometry", "qwen3.5-397b-a17b", "--memory",
                                         "2GB", "--disk-gbps", "2"})),
              HasSubstr("pass --memory"));
  EXPECT_THAT(
      ExpectRefusal(RunFlashmoe({"plan", "--geometry", "qwen3.5-35b-a3b", "--layers", "41"})),
      HasSubstr("40 layers"));
  EXPECT_EQ(RunFlashmoe({"plan", "--geometry", "qwen3-30b-a3b", "--disk-gbps", "0"}).exit_code, 2);
}

TEST(BenchTest, KernelsStandBesideMemoryAndPeaks) {
  const json j = ExpectJson(RunFlashmoe(
      {"bench", "kernels", "--types", "q4_k,mlx4,bf16", "--tokens", "32,2", "-t", "1", "--json"}));
  EXPECT_EQ(j["threads"], 1);
  EXPECT_GT(j["memory_read_gbps"], 0);
  EXPECT_GT(j["memory_copy_gbps"], 0);
  const bool peaks = j["kernels"] != "scalar";
  EXPECT_EQ(j["integer_peak"].is_object(), peaks);
  EXPECT_EQ(j["float_peak"].is_object(), peaks);
  ASSERT_EQ(j["types"].size(), 3u);
  for (const auto& [name, type] : j["types"].items()) {
    SCOPED_TRACE(name);
    EXPECT_GT(type["one_token_gbps"], 0);
    EXPECT_GT(type["read_share"], 0);
    ASSERT_EQ(type["many_tokens"].size(), 2u);
    EXPECT_EQ(type["many_tokens"][0]["tokens"], 2);
    EXPECT_EQ(type["many_tokens"][1]["tokens"], 32);
    for (const json& many : type["many_tokens"]) {
      EXPECT_GT(many["gmacs"], 0);
      if (peaks) {
        EXPECT_LT(many["peak_share"], 1.5);
      }
    }
  }
}

TEST(BenchTest, KernelsAsATable) {
  const ProcessResult r = RunFlashmoe(
      {"bench", "kernels", "--isa", "scalar", "--types", "q8_0", "--tokens", "4", "-t", "1"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  for (const char* part : {"scalar, 1 thread; memory reads", "GB/s", "of reads", "Q8_0"}) {
    EXPECT_THAT(r.out, HasSubstr(part));
  }
  EXPECT_THAT(r.out, testing::Not(HasSubstr("peak")));
}

TEST(BenchTest, KernelsRefuseWhatIsNoTypeOfWeights) {
  for (const char* type : {"i32", "q9_k"}) {
    const ProcessResult r = RunFlashmoe({"bench", "kernels", "--types", type});
    EXPECT_EQ(r.exit_code, 1);
    EXPECT_THAT(r.err, HasSubstr(type));
  }
  EXPECT_EQ(RunFlashmoe({"bench", "kernels", "--tokens", "0"}).exit_code, 2);
  EXPECT_EQ(RunFlashmoe({"bench", "--tokens", "8", "kernels"}).exit_code, 2);
}

}  // namespace
}  // namespace flashmoe::e2e
