// flashmoe chat: a conversation in the terminal, or with whatever feeds standard input.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <iostream>

#include "apps/flashmoe/chat_app.h"
#include "apps/flashmoe/command_line.h"
#include "base/clock.h"
#include "format/utf8.h"
#include "io/private_folder.h"
#include "terminal/line_editor.h"
#include "terminal/terminal_mode.h"

namespace flashmoe::cli {
namespace {

constexpr const char* kToolsHelp =
    "Programs that the model may call, as JSON: {\"tools\": [{\"name\": \"weather\", "
    "\"description\": "
    "\"...\", \"parameters\": {a JSON Schema}, \"command\": \"./weather.sh\", \"ask\": true, "
    "\"timeout_s\": 60}]}; arguments come as JSON on standard input";

// A chat does not end because somebody pressed Ctrl-C twice; more often is meant so.
constexpr int kPatience = 3;

// All that it has: a chat with tools needs it, and it costs little.
constexpr int64_t kBundledModelContext = 4096;

// Of what the model remembers, so that prompts need not be read again: in memory (of the budget an
// eighth of what is above the least, at most) and on disk.
constexpr uint64_t kCheckpointsMax = uint64_t{1} << 30;
constexpr uint64_t kCheckpointsDisk = uint64_t{4} << 30;

struct ChatFlags {
  EngineFlags engine;
  std::optional<std::string> system;
  std::string system_file, tools_file, session, think = "off";
  bool yes = false, no_tools = false, resume = false, no_save = false, verbose = false;
  std::optional<int64_t> max_tokens;
  SamplingChoices sampling;
};

Result<std::string> SystemPrompt(const ChatFlags& flags) {
  if (flags.system_file.empty()) return flags.system.value_or("");
  FM_ASSIGN_OR_RETURN(std::string text, ReadText(flags.system_file));
  if (!IsUtf8(text)) {
    return InvalidInput("the system prompt is not valid UTF-8", flags.system_file,
                        "convert it, e.g. with iconv -t UTF-8");
  }
  return text;
}

// The chat to go on with: a named one, the newest, or a new one.
Result<Conversation> OpenChat(const ChatFlags& flags, const ChatStore& store) {
  Conversation chat;
  std::string name = flags.session;
  if (flags.resume) {
    const std::vector<StoredChat> chats = store.List();
    if (chats.empty()) {
      return Fail(ErrorCode::kNotFound, "no chat is kept that could be gone on with",
                  store.folder(), "start one without --continue");
    }
    name = chats.front().name;
  }
  if (!name.empty() && store.Exists(name)) {
    FM_ASSIGN_OR_RETURN(chat, store.Load(name));
  }
  chat.name = name;
  FM_ASSIGN_OR_RETURN(const std::string system, SystemPrompt(flags));
  if (flags.system || !flags.system_file.empty()) chat.system = system;
  return chat;
}

class Chat {
 public:
  Chat(const ChatFlags& flags, bool interactive)
      : flags_(flags),
        interactive_(interactive),
        cancel_(InstallInterruptHandler(interactive ? kPatience : 1)) {}

  Result<int> Run() {
    const ChatStore store(StateFolder().empty() ? "" : StateFolder() + "/chats");
    FM_ASSIGN_OR_RETURN(Conversation chat, OpenChat(flags_, store));
    std::vector<UserTool> user_tools;
    if (!flags_.tools_file.empty()) {
      FM_ASSIGN_OR_RETURN(user_tools, ReadUserTools(flags_.tools_file));
    }
    // Where nobody can be asked, only what was allowed beforehand is offered.
    const bool built_in = !flags_.no_tools && (interactive_ || flags_.yes);
    ToolBox tools(std::move(user_tools), built_in);

    FM_ASSIGN_OR_RETURN(EngineOptions options, MakeEngineOptions(flags_.engine));
    if (flags_.engine.model.empty()) {
      options.memory_wish = kBundledModelMemory;
      if (options.context == 0) options.context = kBundledModelContext;
    }
    FM_ASSIGN_OR_RETURN(std::unique_ptr<ModelFile> file, OpenRunnableModel(flags_.engine.model));
    options.grammars = !tools.empty();
    options.checkpoints.memory_bytes = kCheckpointsMax;
    options.checkpoints.disk_bytes = kCheckpointsDisk;
    options.checkpoints.notice = [](const Error& error) {
      PrintNote("note: " + Printable(error.ToString()));
    };
    if (Keeps(chat) && !StateFolder().empty()) {
      options.checkpoints.folder = StateFolder() + "/checkpoints";
    }
    const auto stop = [this] { return cancel_.IsSet(); };
    FM_ASSIGN_OR_RETURN(std::unique_ptr<ChatEngine> engine,
                        ChatEngine::Load(std::move(file), options, stop, TerminalProgress()));
    ClearProgress();
    PrintDeviations(flags_.engine, engine->engine());
    if (flags_.verbose) PrintNote("plan: " + engine->engine().plan().ToString());

    const std::unique_ptr<ChatView> view =
        interactive_ ? MakeTerminalView() : MakePlainView(flags_.verbose);
    ChatSettings settings;
    settings.options.sampling = flags_.sampling;
    if (!settings.options.sampling.seed) {
      settings.options.sampling.seed = static_cast<uint64_t>(NowSeconds() * 1e6);
    }
    settings.options.max_tokens = flags_.max_tokens;
    settings.model_name = flags_.engine.model.empty()
                              ? "ember"
                              : std::filesystem::path(flags_.engine.model).filename().string();
    settings.ask = !flags_.yes;
    settings.keep = Keeps(chat);
    ChatApp::AskFn ask;
    if (interactive_) ask = [this](std::string_view question) { return Ask(question); };
    ChatApp app(*engine, *view, store, std::move(tools), std::move(settings), ask, stop);
    app.chat() = std::move(chat);
    if (app.chat().messages.empty()) app.chat().thinking = flags_.think == "on";
    if (interactive_) {
      app.Greet();
      Converse(app);
    } else {
      ReadLines(app);
    }
    FM_RETURN_IF_ERROR(FinishOutput());
    if (cancel_.IsSet() && !interactive_) return kInterrupted;
    return app.failed() && !interactive_ ? kFailed : 0;
  }

 private:
  bool Keeps(const Conversation& chat) const {
    return !flags_.no_save && (interactive_ || !chat.name.empty());
  }

  void Converse(ChatApp& app) {
    const std::string folder = StateFolder();
    [[maybe_unused]] Status made;  // a chat goes on without a history
    if (!folder.empty()) made = MakePrivateFolder(folder);
    terminal::History history(folder.empty() ? "" : folder + "/history");
    terminal::LineEditor editor(OutputSink(), history, ChatApp::CommandNames());
    editor_ = &editor;
    bool go_on = true;
    while (go_on) {
      const terminal::EditorInput input = editor.Read("> ", WasTerminated);
      if (input.end == terminal::EditorInput::End::kEnded) break;
      if (input.end == terminal::EditorInput::End::kInterrupted) continue;
      [[maybe_unused]] const Status kept = history.Add(input.text);  // a chat goes on without it
      RearmInterruptHandler();
      terminal::SetInputMode(terminal::InputMode::kQuiet);
      go_on = app.Enter(input.text) && FinishOutput().has_value() && !WasTerminated();
      terminal::SetInputMode(terminal::InputMode::kOriginal);
    }
    editor_ = nullptr;
  }

  std::optional<std::string> Ask(std::string_view question) {
    terminal::EditorInput input = editor_->Read(question, WasTerminated);
    terminal::SetInputMode(terminal::InputMode::kQuiet);
    if (input.end != terminal::EditorInput::End::kEntered) return std::nullopt;
    return std::move(input.text);
  }

  // A backslash at the end of a line: the message goes on in the next.
  void ReadLines(ChatApp& app) {
    std::string message, line;
    while (!cancel_.IsSet() && std::getline(std::cin, line)) {
      if (line.ends_with('\\')) {
        message += line.substr(0, line.size() - 1) + "\n";
        continue;
      }
      message += line;
      if (!IsUtf8(message)) message = ReplaceInvalidUtf8(message);
      if (!app.Enter(std::exchange(message, {})) || !FinishOutput().has_value()) return;
    }
    if (!message.empty() && !cancel_.IsSet()) app.Enter(message);
  }

  const ChatFlags& flags_;
  const bool interactive_;
  const CancelFlag& cancel_;
  terminal::LineEditor* editor_ = nullptr;
};

void AddSampling(CLI::App& app, SamplingChoices& sampling) {
  app.add_option("--temp,--temperature", sampling.temperature,
                 "Sampling temperature; 0: always the best token; default: the model's advice");
  app.add_option("--top-k", sampling.top_k, "Choose among the N best tokens; 0: all")
      ->type_name("N");
  app.add_option("--top-p", sampling.top_p,
                 "Choose among the tokens that make up this probability");
  app.add_option("--min-p", sampling.min_p, "Drop tokens below this part of the best one's");
  app.add_option("-s,--seed", sampling.seed, "Makes sampling repeatable")->type_name("N");
}

}  // namespace

void AddChat(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<ChatFlags>();
  CLI::App* chat = app.add_subcommand(
      "chat", "Talk with a model: markdown, tools, chats that are kept; works when piped, too");
  AddEngineOptions(*chat, flags->engine);
  auto* system = chat->add_option("--system", flags->system, "System prompt")->type_name("TEXT");
  chat->add_option("--system-file", flags->system_file, "Read the system prompt from a file")
      ->type_name("FILE")
      ->excludes(system);
  chat->add_option("--think", flags->think, "Let the model think before it answers")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  chat->add_option("--tools", flags->tools_file, kToolsHelp)->type_name("FILE");
  chat->add_flag("--no-tools", flags->no_tools, "Do not offer bash, read_file and write_file");
  chat->add_flag("-y,--yes", flags->yes,
                 "Run what the model calls without asking: it can do all "
                 "that you can");
  auto* session = chat->add_option("--session", flags->session,
                                   "Keep the chat under this name; go on with it if there is one")
                      ->type_name("NAME")
                      ->check(CheckChatName);
  chat->add_flag("--continue", flags->resume, "Go on with the newest chat")->excludes(session);
  chat->add_flag("--no-save", flags->no_save, "Keep nothing of this chat");
  chat->add_option("-n,--max-tokens", flags->max_tokens, "Most tokens of an answer")
      ->type_name("N")
      ->check(Between(1, int64_t{1} << 40));
  AddSampling(*chat, flags->sampling);
  chat->add_flag("-v,--verbose", flags->verbose,
                 "Print the plan and, when piped, figures and calls");
  chat->footer(
      "In a terminal bash, read_file and write_file are offered to the model; all but reading asks "
      "first. When standard input is piped, every line is a message (or a command like /think on), "
      "and tools need --yes.");
  chat->callback([flags, &exit_code] {
    const Result<int> result = Chat(*flags, terminal::IsTerminal()).Run();
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

}  // namespace flashmoe::cli
