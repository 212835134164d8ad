#include "api/common_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "text/tokenizer.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kToolNameBytesMax = 128;
constexpr size_t kToolsMax = 512;
constexpr size_t kTemplateKwargsMax = 64;

bool IsToolName(std::string_view name) {
  const auto fits = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':' || c == '/';
  };
  return !name.empty() && name.size() <= kToolNameBytesMax &&
         std::all_of(name.begin(), name.end(), fits);
}

// {"50256": -100}
void ReadLogitBias(Fields& fields, std::vector<std::pair<int32_t, float>>& out) {
  const Json* json = fields.Find("logit_bias");
  if (json == nullptr) return;
  Fields biases(*json, fields.Path("logit_bias"));
  if (json->is_object()) {
    for (const auto& [key, value] : json->items()) {
      int32_t token = 0;
      const char* end = key.data() + key.size();
      const auto parsed = std::from_chars(key.data(), end, token);
      if (parsed.ec != std::errc() || parsed.ptr != end) {
        biases.Fail(ErrorCode::kInvalidInput, fmt::format("{} is no token", QuoteText(key)), key,
                    "use the ids of /tokenize");
        break;
      }
      std::optional<float> bias;
      biases.Read(key, bias);
      out.emplace_back(token, bias.value_or(0.0f));
    }
  }
  fields.Fail(biases.status());
}

}  // namespace

void ReadSampling(Fields& fields, SamplingChoices& sampling) {
  fields.Read("temperature", sampling.temperature);
  fields.Read("top_p", sampling.top_p);
  fields.Read("min_p", sampling.min_p);
  fields.Read("presence_penalty", sampling.presence_penalty);
  fields.Read("frequency_penalty", sampling.frequency_penalty);
  fields.Read("repetition_penalty", sampling.repetition_penalty);
  std::optional<int64_t> top_k, seed;
  fields.Read("top_k", top_k, -1, std::numeric_limits<int32_t>::max());
  if (top_k) sampling.top_k = static_cast<int32_t>(std::max<int64_t>(*top_k, 0));
  fields.Read("seed", seed, std::numeric_limits<int64_t>::min(),
              std::numeric_limits<int64_t>::max());
  if (seed) sampling.seed = static_cast<uint64_t>(*seed);
  ReadLogitBias(fields, sampling.logit_bias);
  Status valid = Validate(sampling.Over({}), Tokenizer::kIdMax + 1);
  if (valid.has_value()) return;
  // It begins with the name of the field.
  valid.error().where = fields.Path(valid.error().what.substr(0, valid.error().what.find(' ')));
  fields.Fail(valid);
}

void ReadTool(Fields& function, std::string_view schema_key, std::vector<ChatTool>& tools) {
  ChatTool tool;
  function.Require("name");
  function.Read("name", tool.name);
  function.Read("description", tool.description);
  function.Read("strict", tool.strict);
  if (function.ok() && !IsToolName(tool.name)) {
    function.Fail(ErrorCode::kInvalidInput,
                  fmt::format("{} is no name for a tool", QuoteText(tool.name)), "name",
                  fmt::format("use 1 to {} of A-Z, a-z, 0-9 and _-.:/", kToolNameBytesMax));
  }
  if (const Json* schema = function.Find(schema_key)) {
    if (!schema->is_object()) {
      function.Fail(ErrorCode::kInvalidInput, fmt::format("{} is not an object", schema_key),
                    schema_key, "give a JSON Schema");
    }
    tool.parameters = *schema;
  }
  if (tools.size() >= kToolsMax) {
    function.Fail(ErrorCode::kInvalidInput, fmt::format("more than {} tools", kToolsMax), "name");
    return;
  }
  for (const ChatTool& other : tools) {
    if (other.name == tool.name) {
      function.Fail(ErrorCode::kInvalidInput,
                    fmt::format("two tools are named {}", QuoteText(tool.name)), "name");
    }
  }
  tools.push_back(std::move(tool));
}

Status CheckToolChoice(const ChatRequest& request, const std::string& path) {
  using Kind = ToolChoice::Kind;
  const ToolChoice& choice = request.tool_choice;
  if (choice.kind == Kind::kRequired && request.tools.empty()) {
    return InvalidInput("tool_choice asks for a call, but there are no tools", path,
                        "give tools, or leave tool_choice out");
  }
  if (choice.kind != Kind::kNamed) return {};
  for (const ChatTool& tool : request.tools) {
    if (tool.name == choice.name) return {};
  }
  return InvalidInput(
      fmt::format("tool_choice names {}, which is none of the tools", QuoteText(choice.name)),
      path);
}

Status ReadFormat(const Json& json, const std::string& path, std::string_view nest,
                  ResponseFormat& format) {
  using Kind = ResponseFormat::Kind;
  Fields fields(json, path);
  fields.Require("type");
  const auto type = fields.ReadWord("type", {"text", "json_object", "json_schema"});
  FM_RETURN_IF_ERROR(fields.status());
  format.kind = *type == 0 ? Kind::kText : *type == 1 ? Kind::kJsonObject : Kind::kJsonSchema;
  if (format.kind != Kind::kJsonSchema) return {};
  if (!nest.empty()) fields.Require(nest);
  FM_RETURN_IF_ERROR(fields.status());
  Fields schema(nest.empty() ? json : *fields.Find(nest), nest.empty() ? path : fields.Path(nest));
  schema.Read("name", format.name);
  schema.Read("strict", format.strict);
  schema.Require("schema");
  FM_RETURN_IF_ERROR(schema.status());
  format.schema = *schema.Find("schema");
  if (!format.schema.is_object() && !format.schema.is_boolean()) {
    return InvalidInput("schema is not an object", schema.Path("schema"), "give a JSON Schema");
  }
  return {};
}

void ReadEffort(Fields& fields, std::string_view key, ChatRequest& request) {
  const auto effort =
      fields.ReadWord(key, {"none", "minimal", "low", "medium", "high", "xhigh", "max"});
  if (!effort.has_value()) return;
  request.thinking = *effort > 0;
  constexpr std::string_view kNames[] = {"", "low", "low", "medium", "xhigh", "xhigh", "xhigh"};
  if (*effort > 0) request.template_kwargs["reasoning_effort"] = kNames[*effort];
}

void ReadTemplateKwargs(Fields& fields, ChatRequest& request) {
  const Json* json = fields.Find("chat_template_kwargs");
  if (json == nullptr) return;
  Fields kwargs(*json, fields.Path("chat_template_kwargs"));
  kwargs.Read("enable_thinking", request.thinking);
  fields.Fail(kwargs.status());
  if (!json->is_object()) return;
  if (json->size() > kTemplateKwargsMax) {
    fields.Fail(ErrorCode::kInvalidInput,
                fmt::format("more than {} template variables", kTemplateKwargsMax),
                "chat_template_kwargs");
    return;
  }
  for (const auto& [key, value] : json->items()) {
    if (key != "enable_thinking") request.template_kwargs[key] = value;
  }
}

void MergeSystemMessages(std::vector<ChatMessage>& messages) {
  size_t count = 0;
  while (count < messages.size() && messages[count].role == Role::kSystem) ++count;
  for (size_t i = 1; i < count; ++i) {
    messages[0].text += "\n\n" + messages[i].text;
  }
  if (count > 1) {
    messages.erase(messages.begin() + 1, messages.begin() + static_cast<ptrdiff_t>(count));
  }
}

void AppendText(std::string& text, std::string_view more) {
  if (!text.empty() && !more.empty()) text += '\n';
  text += more;
}

}  // namespace flashmoe
