// For tests of answers: tools, and events to look at.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "chat/output_parser.h"

namespace flashmoe {

inline ChatTool MakeTool(std::string name, std::string_view schema) {
  ChatTool tool;
  tool.name = std::move(name);
  tool.parameters = nlohmann::ordered_json::parse(schema);
  return tool;
}

// Appends events; deltas that follow one another become one.
inline void Join(std::vector<AnswerEvent> more, std::vector<AnswerEvent>& events) {
  using Kind = AnswerEvent::Kind;
  for (AnswerEvent& event : more) {
    const bool is_delta = event.kind == Kind::kText || event.kind == Kind::kReasoning ||
                          event.kind == Kind::kCallArguments;
    if (is_delta && !events.empty() && events.back().kind == event.kind) {
      events.back().text += event.text;
    } else {
      events.push_back(std::move(event));
    }
  }
}

inline std::vector<AnswerEvent> ParseWhole(const OutputParserOptions& options,
                                           std::string_view output) {
  OutputParser parser(options);
  std::vector<AnswerEvent> events = parser.Push(output);
  Join(parser.Finish(), events);
  return events;
}

// One line an event: "think: ...", "text: ...", "call 0 NAME", "args 0: ...", "end 0 whole".
inline std::vector<std::string> Describe(const std::vector<AnswerEvent>& events) {
  using Kind = AnswerEvent::Kind;
  std::vector<std::string> lines;
  for (const AnswerEvent& event : events) {
    switch (event.kind) {
      case Kind::kReasoning:
        lines.push_back("think: " + event.text);
        break;
      case Kind::kText:
        lines.push_back("text: " + event.text);
        break;
      case Kind::kCallBegin:
        lines.push_back(fmt::format("call {} {}", event.call, event.text));
        break;
      case Kind::kCallArguments:
        lines.push_back(fmt::format("args {}: {}", event.call, event.text));
        break;
      case Kind::kCallEnd:
        lines.push_back(fmt::format("end {} {}", event.call, event.complete ? "whole" : "half"));
        break;
    }
  }
  return lines;
}

}  // namespace flashmoe
