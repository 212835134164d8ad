// Any bytes as the body of a request. What is taken must lead to an answer of well-formed JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/api_request.h"
#include "base/check.h"
#include "chat/render_chat.h"

namespace flashmoe {

inline bool IsJson(std::string_view text) { return nlohmann::json::accept(text); }

inline std::vector<AnswerEvent> FuzzEvents(const ChatRequest& chat) {
  const std::string name = chat.tools.empty() ? "f" : chat.tools[0].name;
  OutputParser parser(ParserFor(chat, {.starts_in_thinking = chat.thinking.value_or(false)}));
  std::vector<AnswerEvent> events =
      parser.Push("Hm</think>Yes.<tool_call>\n<function=" + name +
                  ">\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>");
  for (AnswerEvent& event : parser.Finish()) events.push_back(std::move(event));
  return events;
}

inline void CheckRequest(Result<ApiRequest> request) {
  if (!request.has_value()) {
    FM_CHECK(!request.error().what.empty());
    return;
  }
  std::vector<AnswerEvent> events = {{.kind = AnswerEvent::Kind::kText, .text = "Yes."}};
  if (const auto* chat = std::get_if<ChatRequest>(&request->input)) {
    FM_CHECK(!chat->messages.empty());
    TemplateRequest(*chat);
    events = FuzzEvents(*chat);
  }
  AnswerBuilder builder;
  for (const AnswerEvent& event : events) builder.Add(event);
  const ChosenToken token{.chosen = {.bytes = "\xFF"}, .top = {{.bytes = "a"}}};
  const auto writer = request->make_writer({.id = "1", .created_s = 0, .model = request->model});
  std::string stream = writer->Begin(1) + writer->Push(events, {&token, 1}) + writer->End({});
  builder.Add(token);
  FM_CHECK(IsJson(request->make_writer({})->Whole(builder.Finish({}))));
  while (!stream.empty()) {
    const size_t end = stream.find("\n\n");
    FM_CHECK(end != std::string::npos);
    const size_t data = stream.find("data: ");
    FM_CHECK(data < end);
    const std::string payload = stream.substr(data + 6, end - data - 6);
    FM_CHECK(payload == "[DONE]" || IsJson(payload));
    stream.erase(0, end + 2);
  }
}

}  // namespace flashmoe
