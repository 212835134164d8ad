// What a model may call in a chat: a shell, files, and programs of the user's.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/flashmoe/child_process.h"
#include "base/status.h"
#include "chat/chat_request.h"

namespace flashmoe::cli {

// A program that a JSON file describes.
struct UserTool {
  ChatTool tool;
  std::vector<std::string> command;  // gets the arguments as JSON on standard input
  bool ask = true;
  double seconds_max = 60;
};

// {"tools": [{"name", "description", "parameters": SCHEMA, "command": "SHELL" or ["PROGRAM", ...],
// "ask": true, "timeout_s": 60}, ...]}, or the array alone.
Result<std::vector<UserTool>> ReadUserTools(const std::string& path);

struct ToolOutcome {
  std::string text;     // for the model
  bool failed = false;  // it was not run, or not to its end
};

class ToolBox {
 public:
  // Says whether the user allows what `question` describes.
  using AskFn = std::function<bool(const std::string& question)>;

  ToolBox(std::vector<UserTool> user_tools, bool built_in);

  // For requests.
  const std::vector<ChatTool>& tools() const { return tools_; }
  bool empty() const { return tools_.empty(); }
  // Whether this tool asks before it runs.
  bool Asks(const std::string& name) const;

  // Never fails: what went wrong is what the model gets to read. `stop` ends a program that runs.
  ToolOutcome Run(const ToolCall& call, const AskFn& ask, const std::function<bool()>& stop) const;

  // What is about to happen, for a person: "bash: ls -l".
  static std::string Describe(const ToolCall& call);

 private:
  const UserTool* FindUserTool(const std::string& name) const;

  std::vector<UserTool> user_tools_;
  std::vector<ChatTool> tools_;
};

}  // namespace flashmoe::cli
