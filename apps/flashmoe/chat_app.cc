#include "apps/flashmoe/chat_app.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/flashmoe/command_line.h"

namespace flashmoe::cli {
namespace {

constexpr int kRoundsMax = 25;  // of calls and answers in one turn

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

}  // namespace

ChatRequest ChatApp::Request() const {
  ChatRequest request;
  if (!chat_.system.empty())
    request.messages.push_back({.role = Role::kSystem, .text = chat_.system});
  request.messages.insert(request.messages.end(), chat_.messages.begin(), chat_.messages.end());
  if (settings_.tools_on) request.tools = tools_.tools();
  request.thinking = chat_.thinking;
  request.options = settings_.options;
  return request;
}

void ChatApp::Report(const Error& error) {
  failed_ = true;
  ClearProgress();
  view_.Warn("error: " + Printable(error.ToString()));
}

// A message is answered, or (an error, or stopped before the first word) it is as if it had not
// been sent.
void ChatApp::Answer(const std::string& text) {
  const size_t before = chat_.messages.size();
  chat_.messages.push_back({.role = Role::kUser, .text = text});
  int rounds = 0;
  while (rounds < kRoundsMax && AnswerOnce()) ++rounds;
  if (rounds == kRoundsMax) view_.Warn(fmt::format("ended after {} rounds of calls", kRoundsMax));
  view_.EndTurn();
  if (chat_.messages.size() == before + 1) {
    chat_.messages.pop_back();
  } else {
    Keep();
  }
}

// One answer, and what it calls. True: the results want another answer.
bool ChatApp::AnswerOnce() {
  const Result<Turn> turn =
      engine_.Answer(Request(), [&](const AnswerEvent& event) { view_.OnEvent(event); });
  view_.EndAnswer();
  if (!turn.has_value()) {
    Report(turn.error());
    return false;
  }
  const ::flashmoe::Answer& answer = turn->answer;
  ChatMessage message = {
      .role = Role::kAssistant, .text = answer.text, .reasoning = answer.reasoning};
  message.calls = answer.calls;
  for (ToolCall& call : message.calls) call.id = fmt::format("call_{}", ++call_ids_);
  const bool said = !message.text.empty() || !message.calls.empty();
  if (said || !turn->stopped) chat_.messages.push_back(message);
  if (turn->stopped) view_.Remark("stopped");
  if (turn->figures.answer_tokens > 0) {
    figures_ = turn->figures;
    total_tokens_ += figures_.answer_tokens;
    if (message.calls.empty()) view_.Remark(FiguresLine(figures_, view_.columns()));
  }
  if (answer.end.reason == AnswerEnd::Reason::kLength && !turn->stopped) {
    view_.Warn(figures_.context_used >= figures_.context
                   ? "the context is full: /clear begins anew, --ctx makes more room"
                   : "the answer was cut at --max-tokens");
  }
  if (message.calls.empty()) return false;
  for (const ToolCall& call : message.calls) {
    ToolOutcome outcome = {"not run: the user stopped this", true};
    if (!turn->stopped && !stop_()) {
      outcome = tools_.Run(
          call, [&](const std::string& what) { return Allow(call.name, what); }, stop_);
      view_.ShowOutput(outcome.text);
    }
    chat_.messages.push_back({.role = Role::kTool, .text = outcome.text, .tool_call_id = call.id});
  }
  return !stop_();
}

bool ChatApp::Allow(const std::string& tool, const std::string& what) {
  if (!settings_.ask) return true;
  if (std::find(always_.begin(), always_.end(), tool) != always_.end()) return true;
  if (!ask_) {
    view_.Warn("not run, as nobody can be asked (--yes allows it): " + Printable(what));
    return false;
  }
  const std::optional<std::string> reply = ask_("  run it? [y]es, [n]o, [a]lways: ");
  const char letter = reply && !reply->empty() ? (*reply)[0] : 'n';
  if (letter == 'a' || letter == 'A') always_.push_back(tool);
  return letter == 'y' || letter == 'Y' || letter == 'a' || letter == 'A';
}

void ChatApp::Keep() {
  if (!settings_.keep) return;
  if (chat_.name.empty()) chat_.name = store_.NewName();
  chat_.model = settings_.model_name;
  const Status saved = store_.Save(chat_);
  if (saved.has_value()) return;
  settings_.keep = false;  // told once
  Report(saved.error());
}

struct ChatApp::Command {
  const char* name;
  const char* argument;
  const char* what;
  std::function<void(ChatApp&, const std::string&)> run;  // none: ends the chat
};

const std::vector<ChatApp::Command>& ChatApp::Commands() {
  static const std::vector<Command> commands = {
      {"/help", "", "these lines", [](ChatApp& app, const auto&) { app.Help(); }},
      {"/clear", "", "begins anew", [](ChatApp& app, const auto&) { app.Clear(); }},
      {"/system", "[TEXT]", "shows the system prompt, or sets it (- removes it)",
       [](ChatApp& app, const auto& text) { app.System(text); }},
      {"/save", "[NAME]", "keeps the chat under a name",
       [](ChatApp& app, const auto& name) { app.Save(name); }},
      {"/load", "NAME", "goes on with a chat that was kept",
       [](ChatApp& app, const auto& name) { app.Load(name); }},
      {"/sessions", "", "the chats that were kept",
       [](ChatApp& app, const auto&) { app.Sessions(); }},
      {"/think", "[on|off]", "shows the last thinking, or turns thinking on or off",
       [](ChatApp& app, const auto& how) { app.Think(how); }},
      {"/tools", "[on|off]", "what the model may call, or turns that on or off",
       [](ChatApp& app, const auto& how) { app.Tools(how); }},
      {"/stats", "", "figures of the last answer and of memory",
       [](ChatApp& app, const auto&) { app.Stats(); }},
      {"/model", "", "the model and how it is run", [](ChatApp& app, const auto&) { app.Model(); }},
      {"/quit", "", "ends; so does Ctrl-D", nullptr},
  };
  return commands;
}

std::vector<std::string> ChatApp::CommandNames() {
  std::vector<std::string> names;
  for (const Command& command : Commands()) names.emplace_back(command.name);
  return names;
}

bool ChatApp::Enter(const std::string& entered) {
  const std::string text = Trimmed(entered);
  if (text.empty()) return true;
  // "/usr/bin holds ..." is a message.
  const size_t end = std::min(text.find_first_of(" \n"), text.size());
  const std::string name = text.substr(0, end);
  if (name[0] != '/' || name.find('/', 1) != std::string::npos) {
    Answer(text);
    return true;
  }
  for (const Command& command : Commands()) {
    if (name != command.name) continue;
    if (command.run) command.run(*this, Trimmed(text.substr(end)));
    return command.run != nullptr;
  }
  view_.Warn(fmt::format("there is no command {}; /help names them", Printable(name)));
  return true;
}

void ChatApp::Greet() {
  std::string tools;
  for (const ChatTool& tool : tools_.tools()) tools += (tools.empty() ? "" : ", ") + tool.name;
  std::string text = fmt::format("{} · context {} · {}", settings_.model_name,
                                 engine_.engine().plan().memory.context,
                                 tools.empty() ? "no tools" : "tools: " + tools);
  if (!chat_.messages.empty()) {
    text += fmt::format("\n{} goes on: {} messages", chat_.name, chat_.messages.size());
  }
  view_.Say(text);
  view_.Remark("/help names the commands, Ctrl-D ends");
  view_.EndTurn();
}

void ChatApp::Help() {
  std::string text;
  for (const Command& command : Commands()) {
    text += fmt::format("{:<20}{}\n", fmt::format("{} {}", command.name, command.argument),
                        command.what);
  }
  view_.Say(text +
            "Alt-Enter or a backslash at the end of a line: another line. Up and Down: what was "
            "entered before. Ctrl-C: stops an answer. Ctrl-D: ends.");
}

}  // namespace flashmoe::cli
