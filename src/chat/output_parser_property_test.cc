// However an output is cut into pieces, the events are the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "chat/output_parser.h"
#include "chat/test_support.h"
#include "text/ordered_json.h"

namespace flashmoe {
namespace {

using Random = std::mt19937;

size_t Below(Random& random, size_t n) { return random() % n; }

// What outputs are made of, whole and broken.
const char* const kParts[] = {
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<function=f>",
    "<function=g>",
    "</function>",
    "<parameter=s>",
    "<parameter=i>",
    "<parameter=o>",
    "</parameter>",
    "\n",
    "\n\n",
    " ",
    "text",
    "1",
    "null",
    "{\"a\": [1, \"}\"]}",
    "{\"name\": \"f\", \"arguments\": {",
    "\"a\": \"b\"",
    "}",
    "}}",
    "\"name\": \"g\"",
    ",",
    "{",
    "[",
    "]",
    "\"",
    "\\",
    "<",
    "</",
    ">",
    "<function=",
    "<parameter=",
    "<function=a b>",
    "\xC3\xA9",
    "\xF0\x9F\xA6\x8A",
    "true",
    "<tool_call>\n<function=f>\n<parameter=s>\nv\n</parameter>\n</function>\n</tool_call>",
    "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"s\": \"v\"}}\n</tool_call>",
};

std::string RandomOutput(Random& random) {
  std::string output;
  for (size_t parts = 1 + Below(random, 14); parts > 0; --parts) {
    output += kParts[Below(random, std::size(kParts))];
  }
  return output;
}

std::vector<AnswerEvent> ParseInPieces(const OutputParserOptions& options,
                                       const std::string& output, Random& random) {
  OutputParser parser(options);
  std::vector<AnswerEvent> events;
  const size_t longest = 1 + Below(random, 12);
  for (size_t at = 0; at < output.size();) {
    size_t end = std::min(output.size(), at + 1 + Below(random, longest));
    // Pieces are of whole characters.
    while (end < output.size() && (static_cast<unsigned char>(output[end]) & 0xC0) == 0x80) ++end;
    Join(parser.Push(std::string_view(output).substr(at, end - at)), events);
    at = end;
  }
  Join(parser.Finish(), events);
  return events;
}

OutputParserOptions RandomOptions(Random& random) {
  OutputParserOptions options;
  options.starts_in_thinking = Below(random, 2) == 0;
  options.tool_calls = Below(random, 8) != 0;
  options.tools = {MakeTool("f", R"({"properties": {"s": {"type": "string"},
      "i": {"type": "integer"}, "o": {"type": ["object", "array"]}}})")};
  return options;
}

// Calls follow one another and are numbered; a whole one has an object of arguments.
void CheckOrder(const std::vector<AnswerEvent>& events) {
  using Kind = AnswerEvent::Kind;
  int calls = 0;
  bool open = false;
  std::string arguments;
  for (const AnswerEvent& event : events) {
    const bool of_call = event.kind != Kind::kText && event.kind != Kind::kReasoning;
    EXPECT_EQ(event.call, of_call ? calls : 0);
    EXPECT_EQ(open, event.kind == Kind::kCallArguments || event.kind == Kind::kCallEnd);
    if (event.kind == Kind::kCallBegin) {
      open = true;
      arguments.clear();
      EXPECT_NE(event.text, "");
    }
    if (event.kind == Kind::kCallArguments) arguments += event.text;
    if (event.kind != Kind::kCallEnd) continue;
    open = false;
    ++calls;
    const auto json = ParseOrderedJson(arguments);
    EXPECT_TRUE(!event.complete || (json.has_value() && json->is_object())) << arguments;
  }
  EXPECT_FALSE(open);
}

void CheckNoCallInText(const std::vector<AnswerEvent>& events) {
  for (const AnswerEvent& event : events) {
    if (event.kind != AnswerEvent::Kind::kText) continue;
    for (const char* call : {"<tool_call><function=f>", "<tool_call>\n<function=f>",
                             "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}"}) {
      EXPECT_THAT(event.text, testing::Not(testing::HasSubstr(call)));
    }
  }
}

TEST(OutputParserProperty, PiecesDoNotMatter) {
  Random random(1);
  for (int round = 0; round < 20'000 && !testing::Test::HasFailure(); ++round) {
    const std::string output = RandomOutput(random);
    const OutputParserOptions options = RandomOptions(random);
    SCOPED_TRACE(output);
    const std::vector<AnswerEvent> events = ParseWhole(options, output);
    for (int split = 0; split < 3; ++split) {
      EXPECT_EQ(Describe(ParseInPieces(options, output, random)), Describe(events));
    }
    CheckOrder(events);
    if (options.tool_calls) CheckNoCallInText(events);
  }
}

// Takes time in proportion to the output, whatever is in it.
TEST(OutputParserProperty, LongOutputsTakeLinearTime) {
  OutputParserOptions options = OutputParserOptions();
  options.tool_calls = true;
  const std::string begin = "<tool_call>\n<function=f>\n<parameter=s>\n";
  for (const std::string& prefix :
       {std::string(), begin, std::string("<think>"), std::string("<think><tool_call><function=f>"),
        std::string("<tool_call>{\"a\": \"")}) {
    for (const char* part : {" ", "<", "\n", "</parameter>", "<tool_call>", "x"}) {
      OutputParser parser(options);
      parser.Push(prefix);
      for (int i = 0; i < 100'000; ++i) parser.Push(part);
      parser.Finish();
    }
  }
}

}  // namespace
}  // namespace flashmoe
