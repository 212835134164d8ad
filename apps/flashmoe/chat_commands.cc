// The commands of a chat; chat_app.cc lists them.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <limits>

#include "apps/flashmoe/chat_app.h"
#include "apps/flashmoe/command_line.h"
#include "base/memory.h"
#include "base/units.h"
#include "terminal/glyphs.h"
#include "terminal/safe_text.h"

namespace flashmoe::cli {
namespace {

constexpr size_t kSessionsShown = 30;
constexpr int kFirstWordsColumns = 50;
constexpr int kAllColumns = std::numeric_limits<int>::max();

}  // namespace

void ChatApp::Clear() {
  chat_.messages.clear();
  chat_.name.clear();
  view_.Remark("a new chat");
}

void ChatApp::System(const std::string& text) {
  if (text.empty()) {
    if (chat_.system.empty()) return view_.Say("there is no system prompt");
    return view_.ShowDim(chat_.system);
  }
  chat_.system = text == "-" ? "" : text;
  view_.Remark(chat_.system.empty() ? "no system prompt" : "the system prompt is set");
}

void ChatApp::Save(const std::string& name) {
  if (!name.empty()) {
    if (const std::string problem = CheckChatName(name); !problem.empty())
      return view_.Warn(problem);
    if (name != chat_.name && store_.Exists(name)) {
      return view_.Warn(fmt::format("there is a chat named '{}' already", name));
    }
    chat_.name = name;
  }
  if (chat_.name.empty()) chat_.name = store_.NewName();
  chat_.model = settings_.model_name;
  const Status saved = store_.Save(chat_);
  if (!saved.has_value()) return Report(saved.error());
  view_.Remark(fmt::format("saved as {}", chat_.name));
}

void ChatApp::Load(const std::string& name) {
  if (name.empty()) return view_.Warn("which? /sessions names them");
  Result<Conversation> chat = store_.Load(name);
  if (!chat.has_value()) return Report(chat.error());
  chat_ = std::move(*chat);
  std::string text = fmt::format("{} messages", chat_.messages.size());
  if (!chat_.model.empty() && chat_.model != settings_.model_name) {
    text += fmt::format("; it was {} that answered", terminal::HarmlessLine(chat_.model));
  }
  view_.Remark(text);
}

void ChatApp::Sessions() {
  const std::vector<StoredChat> chats = store_.List();
  if (chats.empty())
    return view_.Say("no chats are kept in " + terminal::HarmlessLine(store_.folder()));
  std::string text;
  for (size_t i = 0; i < chats.size() && i < kSessionsShown; ++i) {
    const StoredChat& chat = chats[i];
    const std::string line = fmt::format(
        "{:<20} {:%Y-%m-%d %H:%M} {:>4}  {}", chat.name,
        fmt::localtime(static_cast<std::time_t>(chat.saved_s)), chat.messages,
        terminal::FitColumns(terminal::HarmlessLine(chat.first_words), kFirstWordsColumns));
    text += (i > 0 ? "\n" : "") + terminal::FitColumns(line, view_.columns());
  }
  if (chats.size() > kSessionsShown)
    text += fmt::format("\n… and {} more", chats.size() - kSessionsShown);
  view_.Say(text);
}

void ChatApp::Think(const std::string& how) {
  if (how == "on" || how == "off") {
    chat_.thinking = how == "on";
    return view_.Remark(fmt::format("thinking is {}", how));
  }
  if (!how.empty()) return view_.Warn("/think, /think on or /think off");
  for (auto it = chat_.messages.rbegin(); it != chat_.messages.rend(); ++it) {
    if (!it->reasoning.empty()) return view_.ShowDim(it->reasoning);
  }
  view_.Say(fmt::format("no thinking so far; it is {}", chat_.thinking ? "on" : "off"));
}

void ChatApp::Tools(const std::string& how) {
  if (how == "on" || how == "off") settings_.tools_on = how == "on";
  if (!how.empty() && how != "on" && how != "off")
    return view_.Warn("/tools, /tools on or /tools off");
  if (tools_.empty()) return view_.Say("there are no tools");
  std::string text = fmt::format("tools are {}", settings_.tools_on ? "on" : "off");
  for (const ChatTool& tool : tools_.tools()) {
    text += fmt::format("\n{:<16}{}{}", tool.name, terminal::HarmlessLine(tool.description),
                        settings_.ask && tools_.Asks(tool.name) ? " (asks)" : "");
  }
  view_.Say(text);
}

void ChatApp::Stats() {
  const EnginePlan& plan = engine_.engine().plan();
  view_.Say(fmt::format(
      "last answer: {}\nall answers: {} tokens; memory {} of {}, {} of {} experts have a place",
      figures_.prompt_tokens > 0 ? FiguresLine(figures_, kAllColumns) : "none", total_tokens_,
      FormatBytes(ResidentBytes()), FormatBytes(plan.memory.budget),
      engine_.engine().model().store().slots(), plan.memory.slots_all));
}

void ChatApp::Model() {
  view_.Say(fmt::format("{}\n{}", settings_.model_name, engine_.engine().plan().ToString()));
}

}  // namespace flashmoe::cli
