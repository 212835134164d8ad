// A chat at work: turns with tools, and the commands that begin with a slash.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/flashmoe/chat_engine.h"
#include "apps/flashmoe/chat_figures.h"
#include "apps/flashmoe/chat_store.h"
#include "apps/flashmoe/chat_tools.h"
#include "apps/flashmoe/chat_view.h"

namespace flashmoe::cli {

struct ChatSettings {
  AnswerOptions options;
  std::string model_name;  // for people
  bool tools_on = true;
  bool ask = true;   // false: --yes
  bool keep = true;  // save after every answer
};

class ChatApp {
 public:
  // Reads an answer to a question from the user; nullopt: nobody is there.
  using AskFn = std::function<std::optional<std::string>(std::string_view question)>;

  ChatApp(ChatEngine& engine, ChatView& view, ChatStore store, ToolBox tools, ChatSettings settings,
          AskFn ask, std::function<bool()> stop)
      : engine_(engine),
        view_(view),
        store_(std::move(store)),
        tools_(std::move(tools)),
        settings_(std::move(settings)),
        ask_(std::move(ask)),
        stop_(std::move(stop)) {}

  // The conversation that the next turn goes on with.
  Conversation& chat() { return chat_; }

  void Greet();
  // What the user entered: a command, or a message to be answered. False: the user is done.
  bool Enter(const std::string& text);
  // Whether any answer failed or could not be kept.
  bool failed() const { return failed_; }

  static std::vector<std::string> CommandNames();

 private:
  struct Command;
  static const std::vector<Command>& Commands();

  void Answer(const std::string& text);
  bool AnswerOnce();
  void RunTools(const ::flashmoe::Answer& answer);
  bool Allow(const std::string& tool, const std::string& what);
  ChatRequest Request() const;
  void Keep();
  void Report(const Error& error);

  void Help();
  void Clear();
  void System(const std::string& text);
  void Save(const std::string& name);
  void Load(const std::string& name);
  void Sessions();
  void Think(const std::string& how);
  void Tools(const std::string& how);
  void Stats();
  void Model();

  ChatEngine& engine_;
  ChatView& view_;
  ChatStore store_;
  ToolBox tools_;
  ChatSettings settings_;
  AskFn ask_;
  std::function<bool()> stop_;
  Conversation chat_;
  std::vector<std::string> always_;  // tools that were allowed for good
  TurnFigures figures_;              // of the last answer
  int64_t total_tokens_ = 0;
  int call_ids_ = 0;
  bool failed_ = false;
};

}  // namespace flashmoe::cli
