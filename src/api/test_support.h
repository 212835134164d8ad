// For tests of the APIs: requests that must parse or fail, and streams taken apart.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/api_request.h"
#include "text/ordered_json.h"

namespace flashmoe {

using ParseFunction = Result<ApiRequest> (*)(std::string_view);

// `base` with `more` put over it: both are JSON objects.
inline std::string With(std::string_view base, std::string_view more) {
  auto json = nlohmann::ordered_json::parse(base);
  json.update(nlohmann::ordered_json::parse(more));
  return json.dump();
}

inline ApiRequest ParseOrDie(ParseFunction parse, const std::string& body) {
  auto request = parse(body);
  if (!request.has_value()) ADD_FAILURE() << body << "\n" << request.error().ToString();
  return request.has_value() ? std::move(*request) : ApiRequest();
}

inline ChatRequest ChatOf(ParseFunction parse, const std::string& body) {
  ApiRequest request = ParseOrDie(parse, body);
  auto* chat = std::get_if<ChatRequest>(&request.input);
  if (chat == nullptr) ADD_FAILURE() << "this is no chat: " << body;
  return chat != nullptr ? std::move(*chat) : ChatRequest();
}

// "what (where): hint", or "none".
template <typename Parse>
std::string ErrorOf(Parse parse, const std::string& body) {
  const auto request = parse(body);
  return request.has_value() ? "none" : request.error().ToString();
}

// "user: Hi", "assistant: {thought} text [id name arguments]", "tool(id): result"
inline std::vector<std::string> Describe(const std::vector<ChatMessage>& messages) {
  std::vector<std::string> lines;
  for (const ChatMessage& message : messages) {
    constexpr const char* kNames[] = {"system", "user", "assistant", "tool"};
    std::string line = kNames[static_cast<size_t>(message.role)];
    if (!message.tool_call_id.empty()) line += "(" + message.tool_call_id + ")";
    line += ":";
    if (!message.reasoning.empty()) line += " {" + message.reasoning + "}";
    if (!message.text.empty()) line += " " + message.text;
    for (const ToolCall& call : message.calls) {
      line += " [" + call.id + " " + call.name + " " + call.arguments + "]";
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

inline AnswerHead TestHead() { return {.id = "7", .created_s = 1'700'000'000, .model = "ember"}; }

inline AnswerUsage TestUsage() {
  return {.prompt_tokens = 10, .cached_tokens = 4, .completion_tokens = 5, .reasoning_tokens = 2};
}

// The payloads of a stream of events, one a line, as they are. An event's name must be its type.
inline std::vector<std::string> Payloads(std::string_view stream) {
  std::vector<std::string> payloads;
  while (!stream.empty()) {
    const size_t end = stream.find("\n\n");
    if (end == std::string_view::npos) {
      ADD_FAILURE() << "an event does not end: " << stream;
      break;
    }
    std::string_view event = stream.substr(0, end);
    stream.remove_prefix(end + 2);
    std::string name;
    if (event.starts_with("event: ")) {
      const size_t line = event.find('\n');
      name = event.substr(7, line - 7);
      event.remove_prefix(line + 1);
    }
    if (!event.starts_with("data: ") || event.find('\n') != std::string_view::npos) {
      ADD_FAILURE() << "this is no event: " << event;
      break;
    }
    payloads.emplace_back(event.substr(6));
    if (payloads.back() == "[DONE]") continue;
    const auto json = nlohmann::ordered_json::parse(payloads.back());
    EXPECT_TRUE(name.empty() || json["type"] == name) << name;
  }
  return payloads;
}

// Thinking, text and a call, as a parser gives them.
inline std::vector<AnswerEvent> TestEvents() {
  using Kind = AnswerEvent::Kind;
  return {{.kind = Kind::kReasoning, .text = "Hm"},
          {.kind = Kind::kText, .text = "Let me"},
          {.kind = Kind::kText, .text = " see."},
          {.kind = Kind::kCallBegin, .text = "f"},
          {.kind = Kind::kCallArguments, .text = "{\"a\""},
          {.kind = Kind::kCallArguments, .text = ": 1}"},
          {.kind = Kind::kCallEnd, .complete = true}};
}

inline Answer TestAnswer(AnswerEnd end) {
  AnswerBuilder builder;
  for (const AnswerEvent& event : TestEvents()) builder.Add(event);
  return builder.Finish(std::move(end));
}

inline ChosenToken TestToken() {
  return {.chosen = {.token = 1, .bytes = "Le", .logprob = -0.5},
          .top = {{.token = 1, .bytes = "Le", .logprob = -0.5},
                  {.token = 2, .bytes = "\xC3", .logprob = -1e300}}};
}

// A stream of these events from beginning to end.
inline std::vector<std::string> StreamOf(AnswerWriter& writer,
                                         const std::vector<AnswerEvent>& events,
                                         const AnswerEnd& end) {
  std::string out = writer.Begin(10);
  for (const AnswerEvent& event : events) out += writer.Push({&event, 1}, {});
  out += writer.End(end);
  return Payloads(out);
}

}  // namespace flashmoe
