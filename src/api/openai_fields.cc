#include "api/openai_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "api/common_fields.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

Status ReadPart(const Json& json, const std::string& path, std::string& text) {
  Fields part(json, path);
  std::string type = "text", more;
  part.Read("type", type);
  FM_RETURN_IF_ERROR(part.status());
  if (type == "text" || type == "input_text" || type == "output_text") {
    part.Require("text");
    part.Read("text", more);
  } else if (type == "refusal") {
    part.Read("refusal", more);
  } else {
    return Fail(ErrorCode::kUnsupported, fmt::format("content of type {}", QuoteText(type)), path,
                "this model reads text only");
  }
  AppendText(text, more);
  return part.status();
}

// The name of a function that a choice speaks of.
Result<std::string> ReadToolName(Fields& choice, bool nested) {
  std::string name;
  if (!nested) {
    choice.Require("name");
    choice.Read("name", name);
    FM_RETURN_IF_ERROR(choice.status());
    return name;
  }
  choice.Require("function");
  FM_RETURN_IF_ERROR(choice.status());
  Fields function(*choice.Find("function"), choice.Path("function"));
  return ReadToolName(function, false);
}

// A choice that names one function, or the set of those that may be called.
Status ReadChoiceObject(const Json& json, const std::string& path, bool nested,
                        ChatRequest& request) {
  Fields fields(json, path);
  fields.Require("type");
  const auto type = fields.ReadWord("type", {"function", "allowed_tools"});
  FM_RETURN_IF_ERROR(fields.status());
  if (*type == 0) {
    request.tool_choice.kind = ToolChoice::Kind::kNamed;
    FM_ASSIGN_OR_RETURN(request.tool_choice.name, ReadToolName(fields, nested));
    return {};
  }
  const std::string_view nest = "allowed_tools";
  if (nested) fields.Require(nest);
  FM_RETURN_IF_ERROR(fields.status());
  Fields allowed(nested ? *fields.Find(nest) : json, nested ? fields.Path(nest) : path);
  const auto mode = allowed.ReadWord("mode", {"auto", "required"});
  if (mode == 1u) request.tool_choice.kind = ToolChoice::Kind::kRequired;
  std::set<std::string> names;
  allowed.Require("tools");
  ForEach(allowed, "tools", [&](const Json& item, const std::string& where) -> Status {
    Fields tool(item, where);
    FM_ASSIGN_OR_RETURN(std::string name, ReadToolName(tool, nested));
    names.insert(std::move(name));
    return {};
  });
  std::erase_if(request.tools, [&](const ChatTool& tool) { return !names.contains(tool.name); });
  return allowed.status();
}

}  // namespace

StreamOptions ReadStreamOptions(Fields& fields) {
  StreamOptions options;
  fields.Read("stream", options.stream);
  if (const Json* json = fields.Find("stream_options")) {
    Fields more(*json, fields.Path("stream_options"));
    more.Read("include_usage", options.include_usage);
    fields.Fail(more.status());
  }
  return options;
}

Result<std::string> ReadContent(const Json& content, const std::string& path) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) {
    return InvalidInput("the content is neither a string nor an array", path);
  }
  std::string text;
  for (size_t i = 0; i < content.size(); ++i) {
    FM_RETURN_IF_ERROR(ReadPart(content[i], fmt::format("{}[{}]", path, i), text));
  }
  return text;
}

void ReadToolChoice(Fields& fields, bool nested, ChatRequest& request) {
  using Kind = ToolChoice::Kind;
  fields.Read("parallel_tool_calls", request.parallel_tool_calls);
  const Json* choice = fields.Find("tool_choice");
  if (choice == nullptr || !fields.ok()) return;
  if (choice->is_object()) {
    fields.Fail(ReadChoiceObject(*choice, fields.Path("tool_choice"), nested, request));
  } else if (const auto word = fields.ReadWord("tool_choice", {"none", "auto", "required"})) {
    constexpr Kind kKinds[] = {Kind::kNone, Kind::kAuto, Kind::kRequired};
    request.tool_choice.kind = kKinds[*word];
  }
  fields.Fail(CheckToolChoice(request, fields.Path("tool_choice")));
}

}  // namespace flashmoe
