#include "apps/flashmoe/chat_store.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "apps/flashmoe/command_line.h"
#include "format/output_file.h"
#include "io/private_folder.h"
#include "text/ordered_json.h"

namespace flashmoe::cli {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char* kFormat = "flashmoe chat";
constexpr int kVersion = 1;
constexpr size_t kFirstWordsBytes = 200;
constexpr JsonLimits kLimits = {.bytes = size_t{256} << 20};

struct RoleName {
  Role role;
  const char* name;
};
constexpr RoleName kRoles[] = {
    {Role::kUser, "user"}, {Role::kAssistant, "assistant"}, {Role::kTool, "tool"}};

Json ToJson(const ChatMessage& message) {
  Json json;
  for (const RoleName& known : kRoles) {
    if (known.role == message.role) json["role"] = known.name;
  }
  json["text"] = message.text;
  if (!message.reasoning.empty()) json["reasoning"] = message.reasoning;
  for (const ToolCall& call : message.calls) {
    json["calls"].push_back({{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
  }
  if (!message.tool_call_id.empty()) json["call_id"] = message.tool_call_id;
  return json;
}

// The string under `key`; absent: empty. Anything else clears `good`.
std::string String(const Json& json, const char* key, bool& good) {
  const auto it = json.find(key);
  if (it == json.end()) return "";
  good = good && it->is_string();
  return it->is_string() ? it->get<std::string>() : "";
}

std::optional<ChatMessage> ToMessage(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  bool good = true;
  ChatMessage message;
  const std::string role = String(json, "role", good);
  const auto known = std::find_if(std::begin(kRoles), std::end(kRoles),
                                  [&](const RoleName& entry) { return role == entry.name; });
  if (known == std::end(kRoles)) return std::nullopt;
  message.role = known->role;
  message.text = String(json, "text", good);
  message.reasoning = String(json, "reasoning", good);
  message.tool_call_id = String(json, "call_id", good);
  if (const auto calls = json.find("calls"); calls != json.end()) {
    good = good && calls->is_array();
    for (const Json& call : *calls) {
      if (!call.is_object()) return std::nullopt;
      message.calls.push_back(
          {String(call, "id", good), String(call, "name", good), String(call, "arguments", good)});
    }
  }
  return good ? std::optional(std::move(message)) : std::nullopt;
}

std::optional<Conversation> ToConversation(const Json& json) {
  bool good = json.is_object();
  if (!good || String(json, "format", good) != kFormat ||
      json.value("version", Json()) != kVersion) {
    return std::nullopt;
  }
  Conversation chat;
  chat.model = String(json, "model", good);
  chat.system = String(json, "system", good);
  chat.thinking = json.value("thinking", Json(false)) == Json(true);
  const auto messages = json.find("messages");
  if (messages == json.end() || !messages->is_array()) return std::nullopt;
  for (const Json& entry : *messages) {
    std::optional<ChatMessage> message = ToMessage(entry);
    if (!message) return std::nullopt;
    chat.messages.push_back(std::move(*message));
  }
  return good ? std::optional(std::move(chat)) : std::nullopt;
}

}  // namespace

std::string StateFolder() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') return std::string(state) + "/flashmoe";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.local/state/flashmoe";
  return {};
}

std::string CheckChatName(const std::string& name) {
  const bool good =
      !name.empty() && name.size() <= 100 && name[0] != '.' &&
      std::all_of(name.begin(), name.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
      });
  return good ? "" : "a name is up to 100 letters, digits, '-', '_' and '.'";
}

std::string ChatStore::PathOf(const std::string& name) const {
  return folder_ + "/" + name + ".json";
}

bool ChatStore::Exists(const std::string& name) const {
  std::error_code ignored;
  return !folder_.empty() && CheckChatName(name).empty() && fs::exists(PathOf(name), ignored);
}

Status ChatStore::Save(const Conversation& chat) const {
  if (folder_.empty()) {
    return Fail(ErrorCode::kNotFound, "there is no folder to keep chats in", {},
                "set HOME or XDG_STATE_HOME");
  }
  if (const std::string problem = CheckChatName(chat.name); !problem.empty()) {
    return InvalidInput(fmt::format("'{}' is no name for a chat", chat.name), {}, problem);
  }
  FM_RETURN_IF_ERROR(MakePrivateFolder(folder_));
  Json json = {{"format", kFormat},
               {"version", kVersion},
               {"saved", static_cast<int64_t>(std::time(nullptr))},
               {"model", chat.model},
               {"system", chat.system},
               {"thinking", chat.thinking},
               {"messages", Json::array()}};
  for (const ChatMessage& message : chat.messages) json["messages"].push_back(ToJson(message));
  const std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  FM_ASSIGN_OR_RETURN(OutputFile file, OutputFile::CreatePrivate(PathOf(chat.name)));
  FM_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(text))));
  return file.Finish();
}

Result<Conversation> ChatStore::Load(const std::string& name) const {
  if (!Exists(name)) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no chat named '{}'", name), folder_,
                "see /sessions");
  }
  const std::string path = PathOf(name);
  FM_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  const Result<Json> json = ParseOrderedJson(text, kLimits);
  std::optional<Conversation> chat;
  if (json.has_value()) chat = ToConversation(*json);
  if (!chat) return InvalidInput("this is no chat that was saved by this program", path);
  chat->name = name;
  return std::move(*chat);
}

std::vector<StoredChat> ChatStore::List() const {
  std::vector<StoredChat> chats;
  if (folder_.empty()) return chats;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    const fs::path path = it->path();
    if (path.extension() != ".json") continue;
    const Result<Conversation> chat = Load(path.stem().string());
    if (!chat.has_value()) continue;
    StoredChat stored{path.stem().string(), "", 0, chat->messages.size()};
    for (const ChatMessage& message : chat->messages) {
      if (message.role != Role::kUser) continue;
      stored.first_words = message.text.substr(0, kFirstWordsBytes);
      break;
    }
    struct stat info = {};
    if (stat(path.c_str(), &info) == 0) stored.saved_s = info.st_mtime;
    chats.push_back(std::move(stored));
  }
  std::sort(chats.begin(), chats.end(), [](const StoredChat& a, const StoredChat& b) {
    return std::pair(-a.saved_s, b.name) < std::pair(-b.saved_s, a.name);
  });
  return chats;
}

std::string ChatStore::NewName() const {
  const std::string name = fmt::format("{:%Y-%m-%d-%H%M%S}", fmt::localtime(std::time(nullptr)));
  std::string free = name;
  for (int i = 2; Exists(free); ++i) free = fmt::format("{}-{}", name, i);
  return free;
}

}  // namespace flashmoe::cli
