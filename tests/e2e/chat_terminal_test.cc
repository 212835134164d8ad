// Chats at a terminal: keys go in, and a screen comes out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "terminal/test_screen.h"
#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kEnd = "ctx ";  // the line of figures after an answer
constexpr std::string_view kPrompt = "\x1b[1m> \x1b[0m";

class ChatTerminalTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasTerminals()) GTEST_SKIP() << "no pseudo-terminal can be opened here";
  }

  std::vector<std::string> Chat(const std::vector<std::string>& arguments = {}) {
    std::vector<std::string> all = {"/bin/sh",
                                    "-c",
                                    "cd \"$0\" && XDG_STATE_HOME=\"$0\" exec \"$@\"",
                                    folder_.path(),
                                    FLASHMOE_BINARY,
                                    "chat",
                                    "--temp",
                                    "0"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }

  // What the screen shows at the end.
  static std::string Screen(const ProcessResult& r) {
    terminal::TestScreen screen({80, 24});
    screen.Write(r.out);
    return screen.Plain();
  }

  Folder folder_;
};

TEST_F(ChatTerminalTest, AnswersAndKeepsTheChat) {
  Process chat(Chat(), {.terminal = true});
  ASSERT_TRUE(chat.AwaitText(kPrompt)) << chat.output();
  chat.Type("What is the capital of Mongolia?\r");
  ASSERT_TRUE(chat.AwaitText(kEnd)) << chat.output();
  ASSERT_TRUE(chat.AwaitText(kPrompt));
  chat.Type("/quit\r");
  const ProcessResult r = chat.Finish();
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_THAT(Screen(r),
              AllOf(HasSubstr("> What is the capital of Mongolia?\n"),
                    HasSubstr("\nThe capital of Mongolia is Ulaanbaatar.\n"),
                    ContainsRegex("\n[0-9.]+ tok/s · first .* % hits .* ctx [0-9]+ %\n")));
  EXPECT_TRUE(r.out.ends_with("\x1b[?2004l")) << "the terminal is left as it was";
  EXPECT_EQ(ReadFile(folder_.File("flashmoe/history")),
            "What is the capital of Mongolia?\n/quit\n");
}

TEST_F(ChatTerminalTest, ThinkingFoldsAndCanBeShown) {
  Process chat(Chat({"--think", "on", "--no-tools"}), {.terminal = true});
  ASSERT_TRUE(chat.AwaitText(kPrompt)) << chat.output();
  chat.Type("What is 17 + 25?\r");
  ASSERT_TRUE(chat.AwaitText(kEnd)) << chat.output();
  chat.Type("/think\r\x04");
  const ProcessResult r = chat.Finish();
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_THAT(Screen(r),
              AllOf(HasSubstr("thought for "), HasSubstr("42"), HasSubstr("> /think\n")));
  EXPECT_THAT(Screen(r), Not(HasSubstr("<think>")));
}

TEST_F(ChatTerminalTest, CtrlCStopsTheAnswerAndKeepsTheChat) {
  Process chat(Chat({"--isa", "scalar", "-t", "1", "--no-tools"}), {.terminal = true});
  ASSERT_TRUE(chat.AwaitText(kPrompt)) << chat.output();
  chat.Type("Tell me a short story about a fox.\r");
  ASSERT_TRUE(chat.AwaitText("fox")) << chat.output();  // what was typed
  ASSERT_TRUE(chat.AwaitText(" ")) << chat.output();
  usleep(300'000);
  chat.Type("\x03");
  ASSERT_TRUE(chat.AwaitText("stopped")) << chat.output();
  ASSERT_TRUE(chat.AwaitText(kPrompt)) << chat.output();
  chat.Type("half\x03");  // drops the line
  chat.Type("What is 17 + 25?\r");
  ASSERT_TRUE(chat.AwaitText(kEnd)) << chat.output();
  chat.Type("\x04");
  const ProcessResult r = chat.Finish();
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_THAT(Screen(r), HasSubstr("42"));
}

TEST_F(ChatTerminalTest, AsksBeforeACommandRuns) {
  folder_.Write("apples.txt", "x");
  Process chat(Chat(), {.terminal = true});
  ASSERT_TRUE(chat.AwaitText(kPrompt)) << chat.output();
  chat.Type("List the files in the current directory.\r");
  ASSERT_TRUE(chat.AwaitText("run it?")) << chat.output();
  chat.Type("n\r");
  ASSERT_TRUE(chat.AwaitText("did not allow")) << chat.output();
  ASSERT_TRUE(chat.AwaitText(kEnd)) << chat.output();
  EXPECT_THAT(chat.output(), Not(HasSubstr("apples")));
  chat.Type("/clear\rList the files in the current directory.\r");
  ASSERT_TRUE(chat.AwaitText("run it?")) << chat.output();
  chat.Type("y\r");
  ASSERT_TRUE(chat.AwaitText(kEnd)) << chat.output();
  chat.Type("\x04");
  const ProcessResult r = chat.Finish();
  EXPECT_THAT(Screen(r), AllOf(HasSubstr("▸ bash: ls\n"), HasSubstr("  │ apples.txt\n")));
}

TEST_F(ChatTerminalTest, EditsLinesAndRemembersThem) {
  {
    Process chat(Chat({"--no-tools"}), {.terminal = true});
    ASSERT_TRUE(chat.AwaitText(kPrompt)) << chat.output();
    chat.Type("/system line one\x1b\rline twp\x7fo\r");
    ASSERT_TRUE(chat.AwaitText("is set")) << chat.output();
    chat.Type("\x1b[200~/system pasted\rtext\x1b[201~\r");
    ASSERT_TRUE(chat.AwaitText("is set")) << chat.output();
    chat.Type("\x04");
    EXPECT_EQ(chat.Finish().exit_code, 0);
  }
  Process chat(Chat({"--no-tools"}), {.terminal = true});
  ASSERT_TRUE(chat.AwaitText(kPrompt)) << chat.output();
  chat.Type("\x1b[A");
  ASSERT_TRUE(chat.AwaitText("pasted"));
  chat.Type("\x1b[A\x1b[A\x1b[A\r");
  ASSERT_TRUE(chat.AwaitText("is set")) << chat.output();
  chat.Type("/sys\t\r\x04");
  const ProcessResult r = chat.Finish();
  EXPECT_THAT(Screen(r), AllOf(HasSubstr("> /system line one\n  line two\n"),
                               HasSubstr("> /system\nline one\nline two\n")));
}

TEST_F(ChatTerminalTest, ATerminatedChatLeavesTheTerminalAsItWas) {
  Process chat(Chat(), {.terminal = true});
  ASSERT_TRUE(chat.AwaitText(kPrompt)) << chat.output();
  chat.Signal(SIGTERM);
  const ProcessResult r = chat.Finish();
  EXPECT_FALSE(r.timed_out);
  EXPECT_THAT(r.out, HasSubstr("\x1b[?2004l"));
}

}  // namespace
}  // namespace flashmoe::e2e
