// What the program says about itself, and to whoever holds it wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const std::vector<std::string> kCommands = {"run",   "eval",     "info",  "plan",
                                            "bench", "tokenize", "prompt"};

TEST(UsageTest, HelpListsEveryCommandAndExamples) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{}, {"--help"}}) {
    const ProcessResult r = RunFlashmoe(arguments);
    EXPECT_EQ(r.exit_code, 0);
    EXPECT_EQ(r.err, "");
    for (const std::string& command : kCommands) EXPECT_THAT(r.out, HasSubstr("  " + command));
    EXPECT_THAT(r.out, HasSubstr("flashmoe run -p"));
  }
}

// Lines like "  -p,--prompt TEXT            What to say"; long names have their text on the next.
TEST(UsageTest, HelpOfEachCommandDescribesEveryOption) {
  for (const std::string& command : kCommands) {
    const ProcessResult r = RunFlashmoe({command, "--help"});
    EXPECT_EQ(r.exit_code, 0);
    std::istringstream lines(r.out);
    std::string line;
    int options = 0;
    while (std::getline(lines, line)) {
      if (!line.starts_with("  -")) continue;
      ++options;
      if (line.find("  ", 2) == std::string::npos) {  // a long name; the rest stands below
        ASSERT_TRUE(std::getline(lines, line));
        EXPECT_TRUE(line.starts_with("          ")) << command << ": " << line;
      }
      EXPECT_GT(line.size(), 38u) << command << ": " << line;
    }
    EXPECT_GE(options, 3) << command;
  }
}

TEST(UsageTest, VersionIsPrinted) {
  const ProcessResult r = RunFlashmoe({"--version"});
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_THAT(r.out, testing::MatchesRegex("flashmoe [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(UsageTest, WrongUsageExitsWith2AndOneLine) {
  const std::vector<std::vector<std::string>> wrong = {
      {"dance"},
      {"run", "--dance"},
      {"run"},
      {"run", "hello"},
      {"run", "-p", "a", "-f", "b"},
      {"run", "-p", "a", "-"},
      {"run", "-p"},
      {"run", "-p", "a", "-n", "many"},
      {"run", "-p", "a", "-n", "-7"},
      {"run", "-p", "a", "--threads", "0"},
      {"run", "-p", "a", "--threads", "1000000"},
      {"run", "-p", "a", "--ctx", "0"},
      {"run", "-p", "a", "--ctx", "99999999999999999999"},
      {"run", "-p", "a", "--io", "telepathy"},
      {"run", "-p", "a", "--isa", "z80"},
      {"run", "-p", "a", "--memory", "lots"},
      {"run", "-p", "a", "--memory", "0"},
      {"run", "-p", "a", "--memory", "-5GB"},
      {"run", "-p", "a", "--memory", "99999999999999999999GiB"},
      {"run", "-p", "a", "--experts-per-token", "-1"},
      {"run", "-p", "a", "--temp", "warm"},
      {"eval"},
      {"eval", "--text", "a", "--tokens", "b"},
      {"prompt"},
      {"info", "extra"},
  };
  for (const auto& arguments : wrong) {
    const ProcessResult r = RunFlashmoe(arguments);
    const std::string line = testing::PrintToString(arguments) + " -> " + r.err;
    EXPECT_EQ(r.exit_code, 2) << line;
    EXPECT_EQ(r.out, "") << line;
    EXPECT_THAT(r.err, StartsWith("flashmoe: error: ")) << line;
    EXPECT_THAT(r.err, HasSubstr("--help")) << line;
    EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << line;
  }
}

TEST(UsageTest, BadSamplingIsRefusedWithoutAGuess) {
  const std::vector<std::vector<std::string>> wrong = {
      {"--temp", "-1"},          {"--temp", "nan"},
      {"--top-p", "2"},          {"--min-p", "-1"},
      {"--top-k", "-3"},         {"--repeat-penalty", "0"},
      {"--logit-bias", "bread"}, {"--logit-bias", "99999999:1"}};
  for (auto arguments : wrong) {
    arguments.insert(arguments.begin(), {"run", "-p", "a", "-n", "1"});
    const ProcessResult r = RunFlashmoe(arguments);
    EXPECT_TRUE(r.exit_code == 1 || r.exit_code == 2) << testing::PrintToString(arguments) << r.err;
    EXPECT_THAT(r.err, StartsWith("flashmoe: error: "));
  }
}

}  // namespace
}  // namespace flashmoe::e2e
