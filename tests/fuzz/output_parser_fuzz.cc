// Any text as a model's output. The first byte sets the options, the second how the text is cut.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "chat/output_parser.h"
#include "text/detokenizer.h"
#include "text/ordered_json.h"

namespace flashmoe {
namespace {

using Kind = AnswerEvent::Kind;

OutputParserOptions Options(uint8_t bits) {
  static const auto* const schema = new nlohmann::ordered_json(nlohmann::ordered_json::parse(
      R"({"properties": {"s": {"type": "string"}, "i": {"type": "integer"},
          "o": {"type": ["object", "null"]}, "b": {"anyOf": [{"type": "boolean"}, {}]}}})"));
  OutputParserOptions options;
  options.starts_in_thinking = (bits & 1) != 0;
  options.tool_calls = (bits & 2) == 0;
  options.tools = {{.name = "f", .description = "", .parameters = *schema}};
  return options;
}

void Join(std::vector<AnswerEvent> more, std::vector<AnswerEvent>& events) {
  for (AnswerEvent& event : more) {
    const bool is_delta = event.kind != Kind::kCallBegin && event.kind != Kind::kCallEnd;
    if (is_delta && !events.empty() && events.back().kind == event.kind) {
      events.back().text += event.text;
    } else {
      events.push_back(std::move(event));
    }
  }
}

std::vector<AnswerEvent> Parse(const OutputParserOptions& options, std::string_view bytes,
                               size_t piece) {
  OutputParser parser(options);
  Utf8Stream characters;
  std::vector<AnswerEvent> events;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    Join(parser.Push(characters.Push(bytes.substr(at, piece))), events);
  }
  Join(parser.Push(characters.Finish()), events);
  Join(parser.Finish(), events);
  return events;
}

void CheckCalls(const std::vector<AnswerEvent>& events) {
  std::string arguments;
  for (const AnswerEvent& event : events) {
    if (event.kind == Kind::kCallBegin) arguments.clear();
    if (event.kind == Kind::kCallArguments) arguments += event.text;
    if (event.kind != Kind::kCallEnd || !event.complete) continue;
    const auto json = ParseOrderedJson(arguments);
    FM_CHECK(json.has_value() && json->is_object());
  }
}

}  // namespace
}  // namespace flashmoe

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const flashmoe::OutputParserOptions options = flashmoe::Options(data[0]);
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto whole = flashmoe::Parse(options, text, text.size() + 1);
  FM_CHECK(whole == flashmoe::Parse(options, text, 1 + data[1] % 16));
  flashmoe::CheckCalls(whole);
  return 0;
}
