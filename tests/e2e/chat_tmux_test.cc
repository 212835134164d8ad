// A chat in tmux, a terminal that people use: what stands on its screen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>

#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kFigures = "\n[0-9.]+ tok/s · first [^\n]* · ctx [0-9]+ %\n";

// A server of its own, with one window.
class Tmux {
 public:
  Tmux() = default;
  ~Tmux() { Run({"kill-server"}); }
  Tmux(const Tmux&) = delete;
  Tmux& operator=(const Tmux&) = delete;

  static bool IsThere() {
    return Process({"/bin/sh", "-c", "command -v tmux"}).Finish().exit_code == 0;
  }

  // The window stays when the program has ended, which says so.
  void Start(int columns, int rows, const std::vector<std::string>& command) {
    std::vector<std::string> arguments = {"new-session",
                                          "-d",
                                          "-x",
                                          std::to_string(columns),
                                          "-y",
                                          std::to_string(rows),
                                          "/bin/sh",
                                          "-c",
                                          "\"$@\"; echo ended $?; sleep 600",
                                          "sh"};
    arguments.insert(arguments.end(), command.begin(), command.end());
    const ProcessResult r = Run(arguments);
    ASSERT_EQ(r.exit_code, 0) << r.err;
  }
  // Names of keys ("Enter", "M-Enter") or text.
  void Keys(const std::vector<std::string>& keys) {
    std::vector<std::string> arguments = {"send-keys"};
    arguments.insert(arguments.end(), keys.begin(), keys.end());
    EXPECT_EQ(Run(arguments).exit_code, 0);
  }
  // A line feed before every row.
  std::string Screen() { return "\n" + Run({"capture-pane", "-p"}).out; }
  // Until `text` stands on the screen and `last` in the last row that is not empty; spaces at the
  // end of rows are not captured.
  std::string Await(std::string_view text, std::string_view last = ">") {
    const auto begin = std::chrono::steady_clock::now();
    const auto patience = std::chrono::seconds(kSanitized ? 600 : 60);
    const std::string end = "\n" + std::string(last);
    std::string screen;
    while (std::chrono::steady_clock::now() - begin < patience) {
      screen = Screen();
      const size_t size = screen.find_last_not_of('\n') + 1;
      const bool there = screen.find(text) != std::string::npos;
      if (there && std::string_view(screen).substr(0, size).ends_with(end)) return screen;
      usleep(50'000);
    }
    ADD_FAILURE() << "no '" << text << "' above '" << last << "' in:\n" << screen;
    return screen;
  }

 private:
  ProcessResult Run(const std::vector<std::string>& arguments) {
    std::vector<std::string> all = {"/usr/bin/env", "-u", "TMUX",
                                    "tmux",         "-u", "-f",
                                    "/dev/null",    "-S", folder_.File("socket")};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return Process(all).Finish();
  }

  Folder folder_;
};

class ChatTmuxTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!Tmux::IsThere()) GTEST_SKIP() << "there is no tmux";
    if (!HasTerminals()) GTEST_SKIP() << "no pseudo-terminal can be opened here";
  }
  std::vector<std::string> Chat(const std::vector<std::string>& arguments) const {
    std::vector<std::string> all = {
        "env",           "-C",   folder_.path(), "XDG_STATE_HOME=" + folder_.path(),
        FLASHMOE_BINARY, "chat", "--temp",       "0"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }

  Folder folder_;
};

TEST_F(ChatTmuxTest, AConversationIsShownKeptAndGoneOnWith) {
  {
    Tmux tmux;
    tmux.Start(80, 24, Chat({"--no-tools", "--session", "trip", "--think", "on"}));
    tmux.Await("/help names the commands");
    tmux.Keys({"/system One line", "M-Enter", "and another", "Enter"});
    EXPECT_THAT(tmux.Await("is set"),
                HasSubstr("\n> /system One line\n  and another\nthe system prompt is set\n"));
    tmux.Keys({"What is the capital of Mongolia?", "Enter"});
    EXPECT_THAT(tmux.Await(" ctx "), AllOf(HasSubstr("\n> What is the capital of Mongolia?\n"),
                                           HasSubstr("\nthought for "), HasSubstr("Ulaanbaatar"),
                                           ContainsRegex(kFigures), Not(HasSubstr("<think>"))));
    tmux.Keys({"/nonsense"});
    tmux.Await("", "> /nonsense");
    tmux.Keys({"C-c", "Up", "Up"});
    tmux.Await("\n> /system One line\n  and another\nthe", "  and another");
    tmux.Keys({"C-c", "/quit", "Enter"});
    tmux.Await("\n> /quit\n", "ended 0");
  }
  Tmux tmux;
  tmux.Start(120, 24, Chat({"--no-tools", "--continue"}));
  tmux.Await("\ntrip goes on: 2 messages\n");
  tmux.Keys({"What is 17 + 25?", "Enter"});
  EXPECT_THAT(tmux.Await(" · context "),
              AllOf(HasSubstr("42"), ContainsRegex(" · [0-9]+ read, [0-9]+ known · ")));
}

}  // namespace
}  // namespace flashmoe::e2e
