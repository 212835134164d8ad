// Chats through pipes: what comes out, what is kept, what is run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A chat in a folder of its own, which also takes its state. Greedy, unless told otherwise.
ProcessResult Chat(const Folder& folder, const std::string& input,
                   const std::vector<std::string>& arguments = {}) {
  std::vector<std::string> all = {
      "/bin/sh",       "-c",  "cd \"$0\" && XDG_STATE_HOME=\"$0\" exec \"$@\"", folder.path(),
      FLASHMOE_BINARY, "chat"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  if (std::ranges::find(arguments, "--temp") == arguments.end())
    all.insert(all.end(), {"--temp", "0"});
  return Process(all, {.input = input}).Finish();
}

TEST(ChatTest, AnswersEveryLineOfAPipe) {
  const Folder folder;
  const ProcessResult r = Chat(folder, "What is the capital of Mongolia?\n\nWhat is \\\n17 + 25?");
  EXPECT_EQ(r.exit_code, 0) << r.err;
  EXPECT_THAT(r.out, AllOf(HasSubstr("Ulaanbaatar"), HasSubstr("42"), Not(HasSubstr("\x1b"))));
  EXPECT_EQ(r.out.back(), '\n');
  EXPECT_EQ(r.err, "");
  EXPECT_TRUE(folder.Names().empty()) << "nothing is kept unless asked for";
}

// How many tokens of each prompt were known, as the figures say.
std::vector<int> Known(const std::string& err) {
  std::vector<int> known;
  for (size_t at = err.find(" known"); at != std::string::npos; at = err.find(" known", at + 1)) {
    known.push_back(std::stoi(err.substr(err.rfind(' ', at - 1) + 1)));
  }
  return known;
}

const std::string kSystem = std::string(600, 'x');
constexpr const char* kThreeTurns = "What is the capital of Mongolia?\nWhat is 17 + 25?\nThanks.\n";

void ExpectBudgetHeld(const ProcessResult& r) {
  std::smatch match;
  ASSERT_TRUE(std::regex_search(r.err, match, std::regex("plan: [0-9.]+ MB of ([0-9.]+) MB")));
  const double budget = (std::stod(match[1]) + 0.05) * 1e6;  // as far as it is printed
  if (!kSanitized) {
    EXPECT_LE(static_cast<double>(r.rss_max_bytes), budget) << r.err;
  }
}

// With checkpoints, where there is no memory for them, and as it comes.
TEST(ChatTest, ReadsOnlyWhatIsNewWithinItsMemory) {
  const Folder folder;
  for (const char* think : {"off", "on"}) {
    std::string said;
    for (const std::vector<std::string>& memory : std::vector<std::vector<std::string>>{
             {"--memory", Budget(200)}, {"--memory", Budget(34)}, {}}) {
      std::vector<std::string> arguments = {"-v", "--think", think, "--system", kSystem};
      arguments.insert(arguments.end(), memory.begin(), memory.end());
      const ProcessResult r = Chat(folder, kThreeTurns, arguments);
      EXPECT_EQ(r.exit_code, 0) << r.err;
      ExpectBudgetHeld(r);
      if (said.empty()) said = r.out;
      EXPECT_EQ(r.out, said) << "it does not depend on the memory";
      const std::vector<int> known = Known(r.err);
      ASSERT_EQ(known.size(), 3u) << r.err;
      EXPECT_EQ(known[0], 0);
      EXPECT_GT(known[1], 50) << "the system prompt and the first question";
      EXPECT_GE(known[2], known[1]);
      EXPECT_GT(known[2], 64);
    }
  }
}

TEST(ChatTest, GoesOnWithItsStateAfterARestart) {
  const Folder folder;
  const std::vector<std::string> arguments = {"-v", "--system", kSystem, "--session", "trip"};
  const ProcessResult first = Chat(folder, kThreeTurns, arguments);
  ASSERT_EQ(Known(first.err).size(), 3u) << first.err;
  const ProcessResult second = Chat(folder, "What is 1 + 1?\n", arguments);
  ASSERT_EQ(Known(second.err).size(), 1u) << second.err;
  EXPECT_GE(Known(second.err)[0], Known(first.err)[2]);
  ExpectBudgetHeld(second);
  // The same system prompt in another chat.
  std::vector<std::string> other = arguments;
  other.back() = "other";
  const ProcessResult third = Chat(folder, "What is 1 + 1?\n", other);
  ASSERT_EQ(Known(third.err).size(), 1u) << third.err;
  EXPECT_GE(Known(third.err)[0], 64);
  // What it says does not depend on what was known.
  other.back() = "another";
  other.insert(other.end(), {"--no-save"});
  EXPECT_EQ(Chat(folder, "What is 1 + 1?\n", other).out, third.out);
}

TEST(ChatTest, CommandsWorkInPipesToo) {
  const Folder folder;
  const ProcessResult r = Chat(folder,
                               "/help\n/nonsense\n/system Be brief.\n/system\n/think on\n"
                               "/tools\n/stats\n/model\n/sessions\n/quit\nWhat is 1 + 1?\n");
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_EQ(r.out, "");
  EXPECT_THAT(r.err, AllOf(HasSubstr("/sessions"), HasSubstr("no command /nonsense"),
                           HasSubstr("Be brief."), HasSubstr("there are no tools"),
                           HasSubstr("last answer: none"), HasSubstr("no chats are kept")));
}

TEST(ChatTest, RunsToolsThatWereAllowed) {
  const Folder folder;
  folder.Write("apples.txt", "x");
  const ProcessResult r =
      Chat(folder, "List the files in the current directory.\n", {"--yes", "-v"});
  EXPECT_EQ(r.exit_code, 0) << r.err;
  EXPECT_THAT(r.out, AllOf(HasSubstr("apples.txt"), Not(HasSubstr("<tool_call>"))));
  EXPECT_THAT(r.err, HasSubstr("bash: ls"));
}

TEST(ChatTest, OffersNoToolsWhereNobodyCanBeAsked) {
  const Folder folder;
  const ProcessResult r = Chat(folder, "/tools\n");
  EXPECT_THAT(r.err, HasSubstr("there are no tools"));
}

TEST(ChatTest, UserToolsGetTheirArgumentsAsJson) {
  const Folder folder;
  const std::string tools = folder.Write("tools.json", R"({"tools": [{
      "name": "get_weather", "description": "Get the current weather for a city.",
      "parameters": {"type": "object", "required": ["city"],
                     "properties": {"city": {"type": "string", "description": "City name"}}},
      "command": "cat > seen.json; echo sunny, 31 degrees", "ask": true}]})");
  const std::string question = "What is the weather in Paris?\n";
  const ProcessResult refused = Chat(folder, question, {"--tools", tools, "-n", "200"});
  EXPECT_EQ(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("--yes allows it"));
  EXPECT_FALSE(folder.Names().contains("seen.json"));
  const ProcessResult r = Chat(folder, question, {"--tools", tools, "--yes", "--no-tools"});
  EXPECT_THAT(r.out, HasSubstr("31"));
  EXPECT_EQ(nlohmann::json::parse(ReadFile(folder.File("seen.json")))["city"], "Paris");
}

// A model that is sampled like this would leave out what it was never taught, and much else.
TEST(ChatTest, CallsFollowTheirSchemas) {
  const Folder folder;
  const std::string tools = folder.Write("tools.json", R"([{
      "name": "get_weather", "description": "Get the current weather for a city.",
      "parameters": {"type": "object", "required": ["city", "days", "unit"],
                     "properties": {"city": {"type": "string", "maxLength": 40},
                                    "days": {"type": "integer", "minimum": 1, "maximum": 3},
                                    "unit": {"enum": ["kelvin", "rankine"]}}},
      "command": "tr -d '\\n' >> seen; echo >> seen; echo sunny", "ask": false}])");
  for (const char* seed : {"1", "2", "3", "4", "5"}) {
    const ProcessResult r =
        Chat(folder, "What is the weather in Paris?\n",
             {"--tools", tools, "--temp", "1.2", "-s", seed, "-n", "100", "-v"});
    EXPECT_EQ(r.exit_code, 0) << r.err;
    EXPECT_THAT(r.out, Not(HasSubstr("<tool_call>")));
    EXPECT_THAT(r.err, AllOf(Not(HasSubstr("is missing")), Not(HasSubstr("no tool '"))));
  }
  std::istringstream seen(ReadFile(folder.File("seen")));
  int calls = 0;
  for (std::string line; std::getline(seen, line); ++calls) {
    const auto call = nlohmann::json::parse(line);
    EXPECT_EQ(call.size(), 3u) << line;
    EXPECT_TRUE(call["city"].is_string()) << line;
    EXPECT_THAT(call["days"], testing::AnyOf(1, 2, 3)) << line;
    EXPECT_THAT(call["unit"], testing::AnyOf("kelvin", "rankine")) << line;
  }
  EXPECT_GE(calls, 3);
}

TEST(ChatTest, ToolsHaveATimeAndALengthToKeepTo) {
  const Folder folder;
  const std::string tools = folder.Write("tools.json", R"([{
      "name": "get_weather", "description": "Get the current weather for a city.",
      "parameters": {"type": "object", "required": ["city"],
                     "properties": {"city": {"type": "string", "description": "City name"}}},
      "command": "sleep 300 & echo $! > pid; echo sunny; yes | head -c 100000; echo end; sleep 300",
      "timeout_s": 1}])");
  const ProcessResult r = Chat(folder, "What is the weather in Paris?\n",
                               {"--tools", tools, "--yes", "--no-tools", "-v", "-n", "100"});
  EXPECT_LT(r.seconds, 60);
  EXPECT_THAT(r.err, AllOf(HasSubstr("sunny\ny\n"), HasSubstr("bytes left out ...]"),
                           HasSubstr("\nend\n[ended after 1 s: the time was over]")));
  const std::string pid = std::to_string(std::stoi(ReadFile(folder.File("pid"))));
  std::string state;
  std::getline(std::ifstream("/proc/" + pid + "/stat"), state);
  EXPECT_THAT(state, Not(HasSubstr(") S "))) << "what it left in the background sleeps no more";
}

TEST(ChatTest, KeepsAChatUnderItsName) {
  const Folder folder;
  const ProcessResult first =
      Chat(folder, "What is the capital of Mongolia?\n", {"--session", "trip", "--system", "Hi."});
  EXPECT_EQ(first.exit_code, 0) << first.err;
  const std::string path = folder.File("flashmoe/chats/trip.json");
  const ProcessResult second = Chat(folder, "What is 17 + 25?\n/sessions\n", {"--session", "trip"});
  EXPECT_THAT(second.err, HasSubstr("capital of Mongolia"));
  const nlohmann::json kept = nlohmann::json::parse(ReadFile(path));
  EXPECT_EQ(kept["system"], "Hi.");
  ASSERT_EQ(kept["messages"].size(), 4u);
  EXPECT_EQ(kept["messages"][2]["text"], "What is 17 + 25?");
  const ProcessResult newest =
      Chat(folder, "/load trip\n/save other\n/load none\n", {"--continue", "-v"});
  EXPECT_THAT(newest.err, AllOf(HasSubstr("4 messages"), HasSubstr("no chat named 'none'")));
  EXPECT_EQ(newest.exit_code, 1);
  EXPECT_EQ(nlohmann::json::parse(ReadFile(folder.File("flashmoe/chats/other.json")))["messages"],
            kept["messages"]);
}

TEST(ChatTest, NobodyElseMayReadWhatIsKept) {
  const Folder folder;
  Chat(folder, "Hello.\n", {"--session", "trip", "--system", kSystem});
  namespace fs = std::filesystem;
  const fs::path state = folder.File("flashmoe");
  EXPECT_EQ(fs::status(state).permissions(), fs::perms::owner_all);
  int files = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(state)) {
    const bool file = entry.is_regular_file();
    files += file ? 1 : 0;
    EXPECT_EQ(entry.status().permissions(),
              file ? fs::perms::owner_read | fs::perms::owner_write : fs::perms::owner_all)
        << entry.path();
  }
  EXPECT_GE(files, 2) << "the chat and checkpoints";
}

TEST(ChatTest, DamagedChatsAreRefused) {
  const Folder folder;
  Chat(folder, "What is 1 + 1?\n", {"--session", "a"});
  const std::string path = folder.File("flashmoe/chats/a.json");
  const std::string whole = ReadFile(path);
  for (const std::string& damaged :
       {whole.substr(0, whole.size() / 2), std::string("[]"), std::string("{\"format\": 1}"),
        std::string(
            "{\"format\": \"flashmoe chat\", \"version\": 1, \"messages\": [{\"role\": 7}]}")}) {
    WriteAt(path, 0, damaged + std::string(whole.size(), ' '));
    EXPECT_THAT(ExpectRefusal(Chat(folder, "Hello\n", {"--session", "a"})), HasSubstr("a.json"));
  }
}

TEST(ChatTest, BadToolFilesAreRefused) {
  const Folder folder;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "no JSON"},
      {"{}", "no list"},
      {R"([{"name": "a b", "command": "x"}])", "needs a \"name\""},
      {R"([{"name": "bash", "command": "x"}])", "built-in"},
      {R"([{"name": "a"}])", "\"command\""},
      {R"([{"name": "a", "command": ["x", 1]}])", "\"command\""},
      {R"([{"name": "a", "command": "x", "timeout_s": -1}])", "timeout_s"},
      {R"([{"name": "a", "command": "x", "parameters": {"type": "thing"}}])", "tool a)"},
      {R"([{"name": "a", "command": "x", "parameters": {"properties": {"x": {"type": 7}}}}])",
       "tool a: /properties/x"},
      {R"([{"name": "a", "command": "x"}, {"name": "a", "command": "x"}])", "two tools"}};
  for (const auto& [text, problem] : cases) {
    const std::string path = folder.Write("tools.json", text);
    EXPECT_THAT(ExpectRefusal(Chat(folder, "Hi\n", {"--tools", path})), HasSubstr(problem));
  }
}

}  // namespace
}  // namespace flashmoe::e2e
