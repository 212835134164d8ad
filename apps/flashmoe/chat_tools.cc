#include "apps/flashmoe/chat_tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "apps/flashmoe/command_line.h"
#include "grammar/grammar.h"
#include "text/ordered_json.h"
#include "text/utf8.h"

namespace flashmoe::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kToolsMax = 64;
constexpr size_t kFileBytesMax = 64 << 10;  // that read_file gives
constexpr double kBashSeconds = 60;

Json Schema(const std::vector<std::pair<std::string, std::string>>& strings) {
  Json schema = {{"type", "object"}, {"properties", Json::object()}, {"required", Json::array()}};
  for (const auto& [name, description] : strings) {
    schema["properties"][name] = {{"type", "string"}, {"description", description}};
    schema["required"].push_back(name);
  }
  return schema;
}

std::vector<ChatTool> BuiltIn() {
  return {
      {.name = "bash",
       .description = "Run a command in a bash shell.",
       .parameters = Schema({{"command", "The command to run"}})},
      {.name = "read_file",
       .description = "Read a file and return its contents.",
       .parameters = Schema({{"path", "The path of the file"}})},
      {.name = "write_file",
       .description = "Write text to a file.",
       .parameters = Schema({{"path", "The path of the file"}, {"content", "The text to write"}})}};
}

bool IsBuiltIn(const std::string& name) {
  return name == "bash" || name == "read_file" || name == "write_file";
}

ToolOutcome Failure(std::string text) { return {"error: " + std::move(text), true}; }

// A string among the arguments.
std::string Argument(const Json& arguments, const char* name) {
  const auto it = arguments.find(name);
  return it != arguments.end() && it->is_string() ? it->get<std::string>() : "";
}

Json ParseArguments(const ToolCall& call) {
  Result<Json> json = ParseOrderedJson(call.arguments);
  return json.has_value() && json->is_object() ? std::move(*json) : Json();
}

ToolOutcome RunProgram(const std::vector<std::string>& command, const std::string& input,
                       double seconds_max, const std::function<bool()>& stop) {
  const auto result = RunChild(command, input, {.seconds_max = seconds_max, .stop = stop});
  if (!result.has_value()) return Failure(result.error().ToString());
  std::string text = SanitizeUtf8(result->output);
  if (text.ends_with('\n')) text.pop_back();
  const auto add = [&](const std::string& line) { text += (text.empty() ? "" : "\n") + line; };
  if (result->timed_out) {
    add(fmt::format("[ended after {} s: the time was over]", seconds_max));
  } else if (result->stopped) {
    add("[stopped by the user]");
  } else if (result->exit_code < 0) {
    add("[ended by a signal]");
  } else if (result->exit_code > 0) {
    add(fmt::format("[exit code {}]", result->exit_code));
  }
  if (text.empty()) text = "(no output)";
  return {std::move(text), result->timed_out || result->stopped};
}

ToolOutcome ReadFile(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return Failure(fmt::format("'{}' is no file that can be read", path));
  }
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return Failure(fmt::format("'{}': {}", path, strerror(errno)));
  std::string text(kFileBytesMax + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  const bool more = text.size() > kFileBytesMax;
  if (more) text.resize(kFileBytesMax);
  text = SanitizeUtf8(text);
  if (more) text += fmt::format("\n[... only the first {} bytes are shown]", kFileBytesMax);
  return {std::move(text), false};
}

ToolOutcome WriteFile(const std::string& path, const std::string& content) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  const bool written =
      file != nullptr && std::fwrite(content.data(), 1, content.size(), file) == content.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (!written || !closed) return Failure(fmt::format("'{}': {}", path, strerror(errno)));
  return {fmt::format("{} bytes written to {}", content.size(), path), false};
}

// The first thing that is missing from the arguments, if any.
std::string MissingArgument(const ChatTool& tool, const Json& arguments) {
  if (!arguments.is_object()) return "the arguments are no JSON object";
  if (!tool.parameters.is_object() || !tool.parameters.contains("required")) return "";
  for (const Json& name : tool.parameters["required"]) {
    if (name.is_string() && !arguments.contains(name.get<std::string>())) {
      return fmt::format("the argument '{}' is missing", name.get<std::string>());
    }
  }
  return "";
}

Result<std::vector<std::string>> ParseCommand(const Json& command, const std::string& where) {
  if (command.is_string() && !command.get<std::string>().empty()) {
    return std::vector<std::string>{"/bin/sh", "-c", command.get<std::string>()};
  }
  std::vector<std::string> words;
  if (command.is_array()) {
    for (const Json& word : command) {
      if (word.is_string()) words.push_back(word.get<std::string>());
    }
  }
  if (words.empty() || words.size() != command.size()) {
    return InvalidInput(
        "\"command\" is neither a shell command nor a list of a program and its "
        "arguments",
        where);
  }
  return words;
}

bool IsToolName(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
  });
}

Result<UserTool> ParseUserTool(const Json& json, const std::string& where) {
  if (!json.is_object()) return InvalidInput("a tool is no JSON object", where);
  // OpenAI's form has name, description and schema one level deeper.
  const Json& function =
      json.contains("function") && json["function"].is_object() ? json["function"] : json;
  UserTool user;
  user.tool.name = Argument(function, "name");
  user.tool.description = Argument(function, "description");
  if (!IsToolName(user.tool.name)) {
    return InvalidInput("a tool needs a \"name\" of letters, digits, '_' and '-', at most 64",
                        where);
  }
  const std::string here = where + ", tool " + user.tool.name;
  if (IsBuiltIn(user.tool.name)) return InvalidInput("this name belongs to a built-in tool", here);
  if (function.contains("parameters")) user.tool.parameters = function["parameters"];
  if (!user.tool.parameters.is_null() && !user.tool.parameters.is_object()) {
    return InvalidInput("\"parameters\" is no JSON Schema", here);
  }
  FM_ASSIGN_OR_RETURN(user.command, ParseCommand(json.value("command", Json()), here));
  const Json ask = json.value("ask", Json(true));
  const Json timeout = json.value("timeout_s", Json(60));
  if (!ask.is_boolean()) return InvalidInput("\"ask\" is neither true nor false", here);
  if (!timeout.is_number() || timeout.get<double>() <= 0 || timeout.get<double>() > 86'400) {
    return InvalidInput("\"timeout_s\" is no number of seconds up to 86400", here);
  }
  user.ask = ask.get<bool>();
  user.seconds_max = timeout.get<double>();
  return user;
}

// Whether calls can be held to the schemas; with what cannot be kept left out, as for requests.
Status CheckSchemas(const std::vector<UserTool>& tools, const std::string& path) {
  std::vector<ToolSpec> specs;
  for (const UserTool& user : tools) specs.push_back({user.tool.name, user.tool.parameters});
  const auto grammar = CompileToolCalls(specs, {.grammar = {.lenient = true}});
  if (grammar.has_value()) return {};
  const Error& error = grammar.error();
  std::string where = error.where;  // "name: pointer"
  if (where.ends_with(": ")) where.resize(where.size() - 2);
  return InvalidInput(error.what, path + ", tool " + where, error.hint);
}

}  // namespace

Result<std::vector<UserTool>> ReadUserTools(const std::string& path) {
  FM_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  Result<Json> json = ParseOrderedJson(text);
  if (!json.has_value()) {
    return InvalidInput("this is no JSON: " + json.error().what, path, "see flashmoe chat --help");
  }
  const Json& list = json->is_object() && json->contains("tools") ? (*json)["tools"] : *json;
  if (!list.is_array() || list.empty() || list.size() > kToolsMax) {
    return InvalidInput(fmt::format("there is no list of 1 to {} \"tools\"", kToolsMax), path,
                        "see flashmoe chat --help");
  }
  std::vector<UserTool> tools;
  for (const Json& entry : list) {
    FM_ASSIGN_OR_RETURN(UserTool tool, ParseUserTool(entry, path));
    for (const UserTool& other : tools) {
      if (other.tool.name == tool.tool.name) {
        return InvalidInput(fmt::format("there are two tools named '{}'", tool.tool.name), path);
      }
    }
    tools.push_back(std::move(tool));
  }
  FM_RETURN_IF_ERROR(CheckSchemas(tools, path));
  return tools;
}

ToolBox::ToolBox(std::vector<UserTool> user_tools, bool built_in)
    : user_tools_(std::move(user_tools)) {
  if (built_in) tools_ = BuiltIn();
  for (const UserTool& user : user_tools_) tools_.push_back(user.tool);
}

const UserTool* ToolBox::FindUserTool(const std::string& name) const {
  const auto it = std::find_if(user_tools_.begin(), user_tools_.end(),
                               [&](const UserTool& user) { return user.tool.name == name; });
  return it == user_tools_.end() ? nullptr : &*it;
}

bool ToolBox::Asks(const std::string& name) const {
  const UserTool* user = FindUserTool(name);
  return user != nullptr ? user->ask : name != "read_file";
}

std::string ToolBox::Describe(const ToolCall& call) {
  const Json arguments = ParseArguments(call);
  if (!arguments.is_object()) return fmt::format("{} {}", call.name, call.arguments);
  if (call.name == "bash") return "bash: " + Argument(arguments, "command");
  if (call.name == "read_file") return "read_file: " + Argument(arguments, "path");
  if (call.name == "write_file") {
    return fmt::format("write_file: {}\n{}", Argument(arguments, "path"),
                       Argument(arguments, "content"));
  }
  return fmt::format("{} {}", call.name, DumpJson(arguments));
}

ToolOutcome ToolBox::Run(const ToolCall& call, const AskFn& ask,
                         const std::function<bool()>& stop) const {
  const auto tool = std::find_if(tools_.begin(), tools_.end(),
                                 [&](const ChatTool& known) { return known.name == call.name; });
  if (tool == tools_.end()) return Failure(fmt::format("there is no tool '{}'", call.name));
  const Json arguments = ParseArguments(call);
  if (const std::string missing = MissingArgument(*tool, arguments); !missing.empty()) {
    return Failure(missing);
  }
  if (Asks(call.name) && !ask(Describe(call))) return Failure("the user did not allow this");
  if (const UserTool* user = FindUserTool(call.name)) {
    return RunProgram(user->command, call.arguments, user->seconds_max, stop);
  }
  if (call.name == "read_file") return ReadFile(Argument(arguments, "path"));
  if (call.name == "write_file") {
    return WriteFile(Argument(arguments, "path"), Argument(arguments, "content"));
  }
  return RunProgram({"bash", "-c", Argument(arguments, "command")}, "", kBashSeconds, stop);
}

}  // namespace flashmoe::cli
