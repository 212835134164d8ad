#include "text/chat_template.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/interpreter.h"
#include "text/jinja/json_value.h"
#include "text/jinja/parser.h"
#include "text/ordered_json.h"

namespace flashmoe {
namespace {

using jinja::Budget;
using jinja::DictBuilder;
using jinja::ListBuilder;
using jinja::ListKind;
using jinja::Value;
using Json = nlohmann::ordered_json;

// `arguments` of a call as an object, whether it came as one or as the text of one.
Result<Value> Arguments(Budget& budget, const Json& arguments, const std::string& where) {
  if (!arguments.is_string()) return jinja::FromJson(budget, arguments);
  const auto& text = arguments.get_ref<const std::string&>();
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    return jinja::FromJson(budget, Json::object());
  }
  const auto parsed = ParseOrderedJson(text);
  if (!parsed.has_value() || !parsed->is_object()) {
    const std::string why = parsed.has_value() ? "" : ": " + parsed.error().what;
    return InvalidInput("the arguments of a tool call are not a JSON object" + why, where,
                        "send them as the model wrote them, or as an object");
  }
  return jinja::FromJson(budget, *parsed);
}

// An object of a call (the call itself or its `function`), with its arguments parsed.
Result<Value> CallObject(Budget& budget, const Json& call, const std::string& where) {
  if (!call.is_object()) return jinja::FromJson(budget, call);
  DictBuilder out(budget);
  for (const auto& [key, member] : call.items()) {
    Result<Value> value = key == "arguments" ? Arguments(budget, member, where + ".arguments")
                          : key == "function" && member.is_object()
                              ? CallObject(budget, member, where + ".function")
                              : jinja::FromJson(budget, member);
    if (!value.has_value()) return value;
    FM_RETURN_IF_ERROR(out.Put(key, std::move(*value)));
  }
  return std::move(out).Finish();
}

Result<Value> ToolCalls(Budget& budget, const Json& calls, const std::string& where) {
  if (!calls.is_array()) return jinja::FromJson(budget, calls);
  ListBuilder out(budget);
  for (size_t i = 0; i < calls.size(); ++i) {
    FM_ASSIGN_OR_RETURN(Value call, CallObject(budget, calls[i], fmt::format("{}[{}]", where, i)));
    FM_RETURN_IF_ERROR(out.Push(std::move(call)));
  }
  return std::move(out).Finish();
}

Result<Value> Messages(Budget& budget, const Json& request) {
  const auto messages = request.find("messages");
  if (messages == request.end()) {
    return InvalidInput("the request has no messages", "request",
                        "give \"messages\" as an array of objects with role and content");
  }
  if (!messages->is_array()) return InvalidInput("messages is not an array", "request");
  ListBuilder out(budget);
  for (size_t i = 0; i < messages->size(); ++i) {
    const Json& message = (*messages)[i];
    const std::string where = fmt::format("messages[{}]", i);
    if (!message.is_object()) return InvalidInput("a message is not an object", where);
    DictBuilder members(budget);
    for (const auto& [key, member] : message.items()) {
      Result<Value> value = key == "tool_calls" ? ToolCalls(budget, member, where + ".tool_calls")
                                                : jinja::FromJson(budget, member);
      if (!value.has_value()) return value;
      FM_RETURN_IF_ERROR(members.Put(key, std::move(*value)));
    }
    FM_ASSIGN_OR_RETURN(Value dict, std::move(members).Finish());
    FM_RETURN_IF_ERROR(out.Push(std::move(dict)));
  }
  return std::move(out).Finish();
}

// The variables of a template, as the reference library passes them.
Result<Value> Context(Budget& budget, const Json& request) {
  if (!request.is_object()) return InvalidInput("the request is not a JSON object", "request");
  DictBuilder context(budget);
  FM_ASSIGN_OR_RETURN(Value messages, Messages(budget, request));
  FM_RETURN_IF_ERROR(context.Put("messages", std::move(messages)));
  FM_RETURN_IF_ERROR(context.Put("tools", Value::None()));
  FM_RETURN_IF_ERROR(context.Put("documents", Value::None()));
  FM_RETURN_IF_ERROR(context.Put("add_generation_prompt", Value::Bool(false)));
  const auto put_all = [&](const Json& members) -> Status {
    for (const auto& [key, member] : members.items()) {
      if (key == "messages" || key == "chat_template_kwargs") continue;
      FM_ASSIGN_OR_RETURN(Value value, jinja::FromJson(budget, member));
      FM_RETURN_IF_ERROR(context.Put(key, std::move(value)));
    }
    return {};
  };
  FM_RETURN_IF_ERROR(put_all(request));
  const auto extra = request.find("chat_template_kwargs");
  if (extra != request.end() && extra->is_object()) FM_RETURN_IF_ERROR(put_all(*extra));
  return std::move(context).Finish();
}

}  // namespace

struct ChatTemplate::Impl {
  jinja::Body body;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::Parse(std::string_view source) {
  FM_ASSIGN_OR_RETURN(jinja::Body body, jinja::Parse(source));
  return ChatTemplate(std::make_unique<Impl>(Impl{std::move(body)}));
}

Result<std::string> ChatTemplate::Render(const nlohmann::ordered_json& request,
                                         const TemplateLimits& limits) const {
  // A macro's call takes about ten levels of evaluation.
  Budget budget(limits.steps, limits.value_bytes, 10 * limits.depth);
  FM_ASSIGN_OR_RETURN(const Value context, Context(budget, request));
  const jinja::RenderLimits render_limits{limits.depth, limits.output_bytes};
  jinja::Interpreter interpreter(budget, render_limits, *context.dict());
  return interpreter.Run(impl_->body);
}

}  // namespace flashmoe
