// flashmoe run: what goes where, and what the options do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using nlohmann::json;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kAsk(kQuestion);

std::vector<std::string> KeysOf(const json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

TEST(RunTest, TextGoesToStdoutAndOneLineOfReportToStderr) {
  const ProcessResult r = RunFlashmoe({"run", "-p", kAsk, "--temp", "0", "-n", "40"});
  EXPECT_EQ(r.exit_code, 0) << r.err;
  EXPECT_THAT(r.out, HasSubstr("grep"));
  EXPECT_EQ(r.out.back(), '\n');
  EXPECT_THAT(r.out, testing::Not(HasSubstr("<|im_end|>")));
  EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << r.err;
  EXPECT_THAT(r.err, ContainsRegex("[0-9]+ prompt tokens at [0-9.]+/s, [0-9]+ tokens at [0-9.]+/s, "
                                   "first after [0-9.]+ s; experts [0-9.]+ % hits, [0-9.]+ .?B "
                                   "read at [0-9.]+ GB/s; peak memory [0-9.]+ MB of "));
}

TEST(RunTest, JsonHasEveryField) {
  const ProcessResult r = RunFlashmoe({"run", "-p", kAsk, "--temp", "0", "-n", "8", "--json"});
  const json j = ExpectJson(r);
  EXPECT_EQ(r.err, "");
  for (const char* key : {"text", "tokens", "finish_reason", "prompt_tokens", "timings", "experts",
                          "memory", "plan"}) {
    EXPECT_TRUE(j.contains(key)) << key;
  }
  EXPECT_EQ(KeysOf(j["timings"]), (std::vector<std::string>{"decode_tokens_per_s", "load_s",
                                                            "prefill_tokens_per_s", "ttft_s"}));
  EXPECT_EQ(KeysOf(j["experts"]),
            (std::vector<std::string>{"bytes_read", "hits", "read_gbps", "requests"}));
  EXPECT_EQ(KeysOf(j["memory"]), (std::vector<std::string>{"budget_bytes", "peak_bytes", "slots"}));
  EXPECT_EQ(j["tokens"].size(), 8u);
  EXPECT_EQ(j["finish_reason"], "length");
  EXPECT_GT(j["prompt_tokens"], 5);
  EXPECT_GT(j["experts"]["requests"], j["experts"]["hits"]);
  EXPECT_GT(j["experts"]["bytes_read"], 0);
  for (const auto& [key, value] : j["timings"].items()) EXPECT_GT(value, 0) << key;
}

TEST(RunTest, StopsWhereTheModelEndsItsAnswer) {
  const json j = ExpectJson(RunFlashmoe({"run", "-p", kAsk, "--temp", "0", "--json"}));
  EXPECT_EQ(j["finish_reason"], "stop");
  const json on = ExpectJson(
      RunFlashmoe({"run", "-p", kAsk, "--temp", "0", "--json", "--ignore-eos", "-n", "200"}));
  EXPECT_EQ(on["tokens"].size(), 200u);
  EXPECT_THAT(on["text"].get<std::string>(), StartsWith(j["text"].get<std::string>()));
}

TEST(RunTest, PromptsComeFromOptionFileOrStandardInputAlike) {
  const Folder folder;
  const std::string file = folder.Write("prompt.txt", kAsk);
  const std::vector<std::string> rest = {"--temp", "0", "-n", "12"};
  const auto run = [&](std::vector<std::string> how, const std::string& input) {
    how.insert(how.end(), rest.begin(), rest.end());
    const ProcessResult r = RunFlashmoe(how, {.input = input});
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return r.out;
  };
  const std::string text = run({"run", "-p", kAsk}, "");
  EXPECT_GT(text.size(), 10u);
  EXPECT_EQ(run({"run", "--prompt", kAsk}, ""), text);
  EXPECT_EQ(run({"run", "-f", file}, ""), text);
  EXPECT_EQ(run({"run", "--file", file}, ""), text);
  EXPECT_EQ(run({"run", "-"}, kAsk), text);
  EXPECT_EQ(run({"run", "-f", "-"}, kAsk), text);
}

TEST(RunTest, ShortFormsOfLlamaCppWork) {
  const json j = ExpectJson(RunFlashmoe({"run", "-m", Ember(), "-p", kAsk, "-n", "3", "-t", "2",
                                         "-c", "256", "--temp", "0", "--json"}));
  EXPECT_EQ(j["tokens"].size(), 3u);
  EXPECT_EQ(j["plan"]["threads"], 2);
  EXPECT_EQ(j["plan"]["context"], 256);
}

TEST(RunTest, RawContinuesTheTextAsItIs) {
  const json raw =
      ExpectJson(RunFlashmoe({"run", "--raw", "-p", "grep", "-n", "4", "--temp", "0", "--json"}));
  const json chat =
      ExpectJson(RunFlashmoe({"run", "-p", "grep", "-n", "4", "--temp", "0", "--json"}));
  EXPECT_LT(raw["prompt_tokens"], 4);
  EXPECT_GT(chat["prompt_tokens"], 8);
}

TEST(RunTest, SystemMessageAndThinkingReachThePrompt) {
  const auto tokens = [](std::vector<std::string> more) {
    std::vector<std::string> all = {"run", "-p", "Hi", "-n", "1", "--json"};
    all.insert(all.end(), more.begin(), more.end());
    return ExpectJson(RunFlashmoe(all))["prompt_tokens"].get<int>();
  };
  const int plain = tokens({});
  EXPECT_GT(tokens({"--system", "You are a helpful assistant."}), plain + 4);
  EXPECT_NE(tokens({"--think"}), plain);
}

TEST(RunTest, StopStringsEndTheAnswerAndAreNotPartOfIt) {
  const std::string all = RunFlashmoe({"run", "-p", kAsk, "--temp", "0", "-n", "30"}).out;
  const size_t second_word = all.find(' ') + 1;
  const std::string stop = all.substr(second_word, 3);
  const json j = ExpectJson(
      RunFlashmoe({"run", "-p", kAsk, "--temp", "0", "-n", "30", "--stop", stop, "--json"}));
  EXPECT_EQ(j["finish_reason"], "stop");
  EXPECT_EQ(j["text"], all.substr(0, all.find(stop)));
}

TEST(RunTest, ASeedMakesSamplingRepeatable) {
  const auto text = [](const char* seed) {
    return RunFlashmoe({"run", "-p", "Tell me a story.", "--temp", "1.5", "--top-k", "0", "--top-p",
                        "1", "-n", "24", "--seed", seed})
        .out;
  };
  EXPECT_EQ(text("7"), text("7"));
  EXPECT_NE(text("7"), text("8"));
}

TEST(RunTest, NoTokensAreAskedFor) {
  const json j = ExpectJson(RunFlashmoe({"run", "-p", kAsk, "-n", "0", "--json"}));
  EXPECT_EQ(j["text"], "");
  EXPECT_EQ(j["finish_reason"], "length");
}

TEST(RunTest, AnotherNumberOfExpertsIsLabelled) {
  const ProcessResult r =
      RunFlashmoe({"run", "-p", kAsk, "-n", "2", "--experts-per-token", "2", "--json"});
  EXPECT_EQ(ExpectJson(r)["plan"]["experts_as_trained"], false);
  EXPECT_THAT(r.err, HasSubstr("note: 2 experts a token instead of the trained 4"));
}

TEST(RunTest, ASmallerContextThanAskedForIsSaid) {
  const ProcessResult r = RunFlashmoe({"run", "-p", kAsk, "-n", "2", "-c", "1000000"});
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_THAT(r.err, HasSubstr("note: the model knows 4096 positions of context, not 1000000"));
}

TEST(RunTest, VerboseExplainsThePlan) {
  const ProcessResult r = RunFlashmoe({"run", "-p", kAsk, "-n", "2", "-v"});
  EXPECT_THAT(r.err, HasSubstr("resident at once"));
}

TEST(RunTest, AnswersEndWithTheContext) {
  const json j = ExpectJson(RunFlashmoe(
      {"run", "--raw", "-p", "The", "-c", "32", "--ignore-eos", "--json", "--temp", "0"}));
  EXPECT_EQ(j["finish_reason"], "length");
  EXPECT_LE(j["prompt_tokens"].get<size_t>() + j["tokens"].size(), 33u);
}

}  // namespace
}  // namespace flashmoe::e2e
