// Prompts, files and disks that go wrong with a good model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "format/model_file.h"
#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

TEST(BadInputTest, InvalidUtf8IsTextForRawAndAnErrorForChat) {
  const Folder folder;
  for (const char* text : {"\xff\xfe\x80 hi", "cut \xE4\xBD"}) {
    const std::string file = folder.Write("p", text);
    ExpectJson(RunFlashmoe({"run", "-f", file, "-n", "4", "--raw", "--json"}));
    ExpectJson(RunFlashmoe({"tokenize", "-f", file, "--json"}));
    const std::string line = ExpectRefusal(RunFlashmoe({"run", "-f", file, "-n", "4"}));
    EXPECT_THAT(line, HasSubstr("not valid UTF-8"));
    EXPECT_THAT(line, HasSubstr(file));
  }
  const std::string zero = folder.Write("zero", std::string("zero\0byte", 9));
  ExpectJson(RunFlashmoe({"run", "-f", zero, "-n", "4", "--json"}));
}

TEST(BadInputTest, APromptLongerThanTheContextIsRefusedBeforeLoading) {
  std::string text;
  while (text.size() < 40'000) text += "The quick brown fox. ";
  for (const auto& [context, hint] : std::initializer_list<std::pair<const char*, const char*>>{
           {"4096", "shorten"}, {"100", "--ctx"}}) {
    const std::string line =
        ExpectRefusal(RunFlashmoe({"run", "-", "-c", context, "-n", "1"}, {.input = text}));
    EXPECT_THAT(line, HasSubstr(std::string("do not fit a context of ") + context));
    EXPECT_THAT(line, HasSubstr(hint));
    ExpectRefusal(RunFlashmoe({"eval", "--text", "-", "-c", context}, {.input = text}));
  }
}

TEST(BadInputTest, AbsurdOptionsAreRefusedOrHarmless) {
  const std::vector<std::vector<std::string>> refused = {
      {"--memory", "1"},  {"--memory", "1kB"}, {"--experts-per-token", "21"},
      {"-f", "/missing"}, {"-f", "/"},         {"-f", std::string(5000, 'a')}};
  for (auto arguments : refused) {
    if (arguments[0] != "-f") arguments.insert(arguments.end(), {"-p", "a"});
    arguments.insert(arguments.begin(), {"run", "-n", "1"});
    SCOPED_TRACE(testing::PrintToString(arguments).substr(0, 200));
    ExpectRefusal(RunFlashmoe(arguments));
  }
  for (const std::vector<std::string>& more :
       std::vector<std::vector<std::string>>{{"--memory", "16EiB"},
                                             {"--memory", "9000000TB"},
                                             {"--threads", "64"},
                                             {"-c", "67108864"},
                                             {"-n", "1", "--stop", ""},
                                             {"--top-k", "2000000"}}) {
    std::vector<std::string> all = {"run", "-p", "a", "-n", "1"};
    all.insert(all.end(), more.begin(), more.end());
    const ProcessResult r = RunFlashmoe(all);
    EXPECT_EQ(r.signal, 0) << testing::PrintToString(all);
    EXPECT_TRUE(r.exit_code == 0 || r.exit_code == 1 || r.exit_code == 2) << r.exit_code;
    EXPECT_FALSE(r.timed_out);
  }
}

// The model is cut while it answers: with a small budget the next missing expert is soon wanted.
class CutWhileRunningTest : public testing::TestWithParam<const char*> {};

TEST_P(CutWhileRunningTest, NamesFileOffsetLayerAndExpert) {
  const Folder folder;
  const std::string path = folder.Copy("cut.gguf", Ember());
  uint64_t first_expert = UINT64_MAX;
  {
    const auto file = ModelFile::Open(path);
    ASSERT_TRUE(file.has_value());
    for (const TensorInfo& tensor : (*file)->tensors()) {
      if (tensor.name.find("_exps") != std::string::npos) {
        first_expert = std::min(first_expert, tensor.offset);
      }
    }
  }
  Process process(Flashmoe({"run", "-m", path, "--raw", "-p", "The", "--ignore-eos", "--temp",
                            "1.5", "--memory", Budget(36), "-c", "2048", "--io", GetParam()}),
                  {.seconds_max = kSanitized ? 120.0 : 60.0});
  if (!process.AwaitOutput(20)) {
    const std::string line = process.Finish().err;
    if (line.find("io_uring") != std::string::npos) GTEST_SKIP() << line;
    FAIL() << line;
  }
  std::filesystem::resize_file(path, first_expert + 5000);
  const ProcessResult r = process.Finish();
  const std::string line = ExpectRefusal(r);
  EXPECT_THAT(line, HasSubstr("cut.gguf, byte "));
  // A row of the embedding that is still there may be wanted first.
  EXPECT_THAT(line, testing::AnyOf(testing::ContainsRegex("expert [0-9]+ of layer [0-7]"),
                                   HasSubstr("changed while in use")));
  EXPECT_GT(r.out.size(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Readers, CutWhileRunningTest, testing::Values("uring", "pread", "mmap"),
                         [](const auto& reader) { return std::string(reader.param); });

}  // namespace
}  // namespace flashmoe::e2e
