#include "chat/output_parser.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chat/test_support.h"
#include "text/ordered_json.h"

namespace flashmoe {
namespace {

using testing::ElementsAre;

const std::vector<ChatTool>& Tools() {
  static const std::vector<ChatTool> tools = {
      MakeTool("weather", R"({"type": "object", "properties": {
          "city": {"type": "string"}, "days": {"type": "integer"}, "metric": {"type": "boolean"},
          "tags": {"type": "array"}, "note": {"type": ["string", "null"]}}})"),
      MakeTool("now", "null"),
  };
  return tools;
}

OutputParserOptions WithTools() {
  return {.starts_in_thinking = false, .tool_calls = true, .tools = Tools()};
}
OutputParserOptions Thinking() {
  OutputParserOptions options = WithTools();
  options.starts_in_thinking = true;
  return options;
}

// One line an event: "think: ...", "text: ...", "call 0 NAME", "args 0: ...", "end 0 whole".
std::vector<std::string> Read(const std::string& output,
                              const OutputParserOptions& options = WithTools()) {
  return Describe(ParseWhole(options, output));
}

TEST(OutputParser, GivesTextAsItIs) {
  EXPECT_THAT(Read("Hello, <b>you</b> & 1 < 2\n"),
              ElementsAre("text: Hello, <b>you</b> & 1 < 2\n"));
  EXPECT_THAT(Read("  indented"), ElementsAre("text:   indented"));
  EXPECT_THAT(Read("ends with <"), ElementsAre("text: ends with <"));
  EXPECT_THAT(Read("ends with <tool_ca"), ElementsAre("text: ends with <tool_ca"));
  EXPECT_THAT(Read(""), ElementsAre());
  EXPECT_THAT(Read(" \n"), ElementsAre("text:  \n"));
}

TEST(OutputParser, ANulEndsNoNumber) {
  const std::string days = std::string("3\0", 2) + "4";
  EXPECT_THAT(Read("<tool_call>\n<function=weather>\n<parameter=days>\n" + days +
                   "\n</parameter>\n</function>\n</tool_call>"),
              ElementsAre("call 0 weather", R"(args 0: {"days": "3\u00004"})", "end 0 whole"));
}

TEST(OutputParser, ALimitWithinAMarkLeavesNothingOfIt) {
  const auto cut = [](std::string_view output, const OutputParserOptions& options) {
    OutputParser parser(options);
    std::vector<AnswerEvent> events = parser.Push(output);
    Join(parser.Finish(/*cut_off=*/true), events);
    return Describe(events);
  };
  EXPECT_THAT(cut("Yes.\n<tool_ca", WithTools()), ElementsAre("text: Yes."));
  EXPECT_THAT(cut("<tool_call>\n<function=now>\n</function>\n</tool_call>\n<", WithTools()),
              ElementsAre("call 0 now", "args 0: {}", "end 0 whole"));
  EXPECT_THAT(cut("Hm.\n</thi", Thinking()), ElementsAre("think: Hm."));
  EXPECT_THAT(cut("\n<thi", WithTools()), ElementsAre());
  EXPECT_THAT(cut("1 < 2 and ", WithTools()), ElementsAre("text: 1 < 2 and "));
  // Without tools there are no marks.
  EXPECT_THAT(cut("a <tool_ca", {}), ElementsAre("text: a <tool_ca"));
}

TEST(OutputParser, SplitsThinkingThatThePromptOpened) {
  EXPECT_THAT(Read("I think.\n</think>\n\nSo it is.", Thinking()),
              ElementsAre("think: I think.", "text: So it is."));
  // No line break before the mark, and none after.
  EXPECT_THAT(Read("I think.</think>So it is.", Thinking()),
              ElementsAre("think: I think.", "text: So it is."));
  EXPECT_THAT(Read("</think>\n\nAt once.", Thinking()), ElementsAre("text: At once."));
  // At the first end; a second one is text.
  EXPECT_THAT(Read("a</think>b</think>c", Thinking()), ElementsAre("think: a", "text: b</think>c"));
  // The output ends within thinking.
  EXPECT_THAT(Read("still on it\n", Thinking()), ElementsAre("think: still on it"));
  EXPECT_THAT(Read("on <", Thinking()), ElementsAre("think: on <"));
  // The model opens it once more.
  EXPECT_THAT(Read("<think>\nhm\n</think>\nyes", Thinking()),
              ElementsAre("think: hm", "text: yes"));
  EXPECT_THAT(Read("a</think>\n\n    code", Thinking()), ElementsAre("think: a", "text:     code"));
}

TEST(OutputParser, SplitsThinkingThatTheModelOpens) {
  EXPECT_THAT(Read("<think>\nhm\n</think>\n\nyes"), ElementsAre("think: hm", "text: yes"));
  EXPECT_THAT(Read("\n<think>hm"), ElementsAre("think: hm"));
  EXPECT_THAT(Read("<think>\n\n</think>\n\nyes"), ElementsAre("text: yes"));
  EXPECT_THAT(Read("<thin"), ElementsAre("text: <thin"));
  EXPECT_THAT(Read("no <think>"), ElementsAre("text: no <think>"));
}

TEST(OutputParser, ReadsXmlCalls) {
  EXPECT_THAT(Read("Let me look.\n\n<tool_call>\n<function=weather>\n<parameter=city>\nUlm\n"
                   "</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>"),
              ElementsAre("text: Let me look.", "call 0 weather",
                          R"(args 0: {"city": "Ulm", "days": 3})", "end 0 whole"));
  EXPECT_THAT(Read("<tool_call><function=now></function></tool_call>"),
              ElementsAre("call 0 now", "args 0: {}", "end 0 whole"));
  // Several, in blocks of their own or in one; what is between and after is left out if empty.
  EXPECT_THAT(Read("<tool_call>\n<function=now>\n</function>\n</tool_call>\n<tool_call>\n"
                   "<function=now>\n</function>\n<function=weather>\n</function>\n</tool_call>\n"),
              ElementsAre("call 0 now", "args 0: {}", "end 0 whole", "call 1 now", "args 1: {}",
                          "end 1 whole", "call 2 weather", "args 2: {}", "end 2 whole"));
  EXPECT_THAT(Read("<tool_call><function=now></function></tool_call>\n done \n"),
              ElementsAre("call 0 now", "args 0: {}", "end 0 whole", "text: done \n"));
}

std::string ArgumentsOf(const std::string& parameters) {
  const auto lines =
      Read("<tool_call>\n<function=weather>\n" + parameters + "</function>\n</tool_call>");
  if (lines.size() != 3 || lines[2] != "end 0 whole") {
    ADD_FAILURE() << DumpJson(nlohmann::ordered_json(lines));
    return "";
  }
  return lines[1].substr(std::string("args 0: ").size());
}

TEST(OutputParser, StripsOneLineBreakAtEachEndOfAValue) {
  EXPECT_EQ(ArgumentsOf("<parameter=city>\n\n a\nb \n\n</parameter>\n"),
            R"({"city": "\n a\nb \n"})");
  EXPECT_EQ(ArgumentsOf("<parameter=city>a</parameter>"), R"({"city": "a"})");
  EXPECT_EQ(ArgumentsOf("<parameter=city></parameter>"), R"({"city": ""})");
  EXPECT_EQ(ArgumentsOf("<parameter=city>\n</parameter>"), R"({"city": ""})");
  EXPECT_EQ(ArgumentsOf("<parameter=city>\n\n</parameter>"), R"({"city": ""})");
  EXPECT_EQ(ArgumentsOf("<parameter=days>\n 3 \n</parameter>"), R"({"days": 3})");
}

TEST(OutputParser, KeepsMarksWithinValues) {
  EXPECT_EQ(ArgumentsOf("<parameter=city>\n</function></tool_call><tool_call></think>\n"
                        "</parameter>\n"),
            R"({"city": "</function></tool_call><tool_call></think>"})");
  EXPECT_EQ(ArgumentsOf("<parameter=city>\n<b></parameter> c\n</parameter>\n"),
            R"({"city": "<b></parameter> c"})");
  EXPECT_EQ(ArgumentsOf("<parameter=days>\n<b></parameter> c\n</parameter>\n"),
            R"({"days": "<b></parameter> c"})");
  EXPECT_EQ(ArgumentsOf("<parameter=city>\n\"q\"\t\\ \xC3\xA9\n</parameter>\n"),
            "{\"city\": \"\\\"q\\\"\\t\\\\ \xC3\xA9\"}");
}

TEST(OutputParser, ToleratesParametersInAnyOrderAndOddOnes) {
  EXPECT_EQ(ArgumentsOf("<parameter=metric>\nTrue\n</parameter>\n<parameter=city>\nx\n"
                        "</parameter>\n"),
            R"({"metric": true, "city": "x"})");
  EXPECT_EQ(ArgumentsOf("<parameter=zone>\n5\n</parameter>\n"), R"({"zone": "5"})");
  EXPECT_EQ(ArgumentsOf("<parameter=note>\nnull\n</parameter>\n"), R"({"note": null})");
  // A key that comes again, text that belongs nowhere, a key that is none.
  EXPECT_EQ(ArgumentsOf("<parameter=city>\na\n</parameter>\n<parameter=city>\nb\n</parameter>\n"),
            R"({"city": "a"})");
  EXPECT_EQ(ArgumentsOf("city? <parameter=city>\na\n</parameter>\n"), R"({"city": "a"})");
  EXPECT_EQ(ArgumentsOf("<parameter=\n>\n<parameter=city>\na\n</parameter>\n"), R"({"city": "a"})");
}

TEST(OutputParser, ToleratesMissingEnds) {
  EXPECT_THAT(Read("<tool_call>\n<function=now>\n</function>"),
              ElementsAre("call 0 now", "args 0: {}", "end 0 whole"));
  EXPECT_THAT(Read("<tool_call>\n<function=now>\n</tool_call>\n"),
              ElementsAre("call 0 now", "args 0: {}", "end 0 whole"));
  EXPECT_THAT(Read("<tool_call>\n<function=now>\n</function>\n<tool_call>\n<function=now>\n"
                   "</function>"),
              ElementsAre("call 0 now", "args 0: {}", "end 0 whole", "call 1 now", "args 1: {}",
                          "end 1 whole"));
}

TEST(OutputParser, EndsHalfACallAsOneThatIsNotWhole) {
  EXPECT_THAT(Read("Now.\n<tool_call>"), ElementsAre("text: Now."));
  EXPECT_THAT(Read("Now.\n<tool_call>\n<func"), ElementsAre("text: Now."));
  EXPECT_THAT(Read("<tool_call>\n<function=wea"), ElementsAre());
  EXPECT_THAT(Read("<tool_call>\n<function=weather>"), ElementsAre("call 0 weather", "end 0 half"));
  EXPECT_THAT(Read("<tool_call>\n<function=weather>\n<parameter=city>\nUl"),
              ElementsAre("call 0 weather", R"(args 0: {"city": "Ul)", "end 0 half"));
  EXPECT_THAT(Read("<tool_call>\n<function=weather>\n<parameter=days>\n3\n</parameter>"),
              ElementsAre("call 0 weather", R"(args 0: {"days": 3)", "end 0 half"));
  EXPECT_THAT(Read("<tool_call>\n{\"name\": \"wea"), ElementsAre());
  EXPECT_THAT(Read(R"(<tool_call>{"name": "weather", "arguments": {"city": "U)"),
              ElementsAre("call 0 weather", R"(args 0: {"city": "U)", "end 0 half"));
}

TEST(OutputParser, ReadsJsonCalls) {
  EXPECT_THAT(Read("Hm.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Ulm\", "
                   "\"tags\": [{\"a\": \"}\"}]}}\n</tool_call>"),
              ElementsAre("text: Hm.", "call 0 weather",
                          R"(args 0: {"city": "Ulm", "tags": [{"a": "}"}]})", "end 0 whole"));
  EXPECT_THAT(Read(R"(<tool_call>{"arguments":{"days":1},"id":7,"name":"weather"}</tool_call>)"),
              ElementsAre("call 0 weather", R"(args 0: {"days":1})", "end 0 whole"));
  EXPECT_THAT(Read(R"(<tool_call>{"name": "now"}</tool_call> done)"),
              ElementsAre("call 0 now", "args 0: {}", "end 0 whole", "text: done"));
  EXPECT_THAT(Read(R"(<tool_call>{"name": "now", "arguments": "{\"a\": 1}"}</tool_call>)"),
              ElementsAre("call 0 now", R"(args 0: {"a": 1})", "end 0 whole"));
  EXPECT_THAT(Read(R"(<tool_call>{"name": "now", "arguments": null}
{"name": "now", "arguments": {}}</tool_call>)"),
              ElementsAre("call 0 now", "args 0: {}", "end 0 whole", "call 1 now", "args 1: {}",
                          "end 1 whole"));
}

TEST(OutputParser, MendsWhatModelsDoToJson) {
  // A line break within a string; the last brace forgotten.
  EXPECT_THAT(Read("<tool_call>{\"name\": \"weather\", \"arguments\": {\"city\": \"a\nb\"}}"),
              ElementsAre("call 0 weather", R"(args 0: {"city": "a\nb"})", "end 0 whole"));
  EXPECT_THAT(Read("<tool_call>\n{\"name\": \"now\", \"arguments\": {}\n</tool_call> done"),
              ElementsAre("call 0 now", "args 0: {}", "end 0 whole", "text: done"));
}

TEST(OutputParser, EndsMalformedArgumentsAsNotWhole) {
  EXPECT_THAT(Read(R"(<tool_call>{"name": "now", "arguments": {"a": nonsense}}</tool_call>)"),
              ElementsAre("call 0 now", R"(args 0: {"a": nonsense})", "end 0 half"));
  EXPECT_THAT(Read(R"(<tool_call>{"name": "now", "arguments": [1]}</tool_call>)"),
              ElementsAre("call 0 now", "args 0: [1]", "end 0 half"));
}

TEST(OutputParser, LeavesWhatIsNoCallAsText) {
  const std::string texts[] = {
      "Write <tool_call> first.",          "<tool_call>\n<functions>",
      "<tool_call>\n<function=>\n",        "<tool_call>\n<function=a b>\n",
      "<tool_call></tool_call>",           "a\n\n <tool_call> {\"nome\": 1} b",
      "<tool_call>{not json}</tool_call>",
  };
  for (const std::string& text : texts) EXPECT_THAT(Read(text), ElementsAre("text: " + text));
}

TEST(OutputParser, LooksForNoCallsUnlessAskedTo) {
  OutputParserOptions options = WithTools();
  options.tool_calls = false;
  const std::string text = "<tool_call>\n<function=now>\n</function>\n</tool_call>";
  EXPECT_THAT(Read(text, options), ElementsAre("text: " + text));
  options.starts_in_thinking = true;
  EXPECT_THAT(Read(text + "</think>b", options), ElementsAre("think: " + text, "text: b"));
}

TEST(OutputParser, ReadsACallInThinkingThatNeverEnds) {
  const std::string call = "<tool_call>\n<function=now>\n</function>\n</tool_call>";
  EXPECT_THAT(Read("I need the time.\n" + call, Thinking()),
              ElementsAre("think: I need the time.", "call 0 now", "args 0: {}", "end 0 whole"));
  EXPECT_THAT(Read("So:\n" + call + "\n</think>\n\n" + call, Thinking()),
              ElementsAre("think: So:\n" + call, "call 0 now", "args 0: {}", "end 0 whole"));
  EXPECT_THAT(
      Read("A <tool_call> is meant. " + call, Thinking()),
      ElementsAre("think: A <tool_call> is meant.", "call 0 now", "args 0: {}", "end 0 whole"));
  EXPECT_THAT(Read("So:\n<tool_call>\n<fun", Thinking()), ElementsAre("think: So:"));
}

TEST(OutputParser, GivesOutWhatIsCertainAtOnce) {
  OutputParser parser(Thinking());
  EXPECT_TRUE(parser.thinking());
  EXPECT_THAT(Describe(parser.Push("Hm")), ElementsAre("think: Hm"));
  EXPECT_THAT(Describe(parser.Push("m\n</thi")), ElementsAre("think: m"));
  EXPECT_THAT(Describe(parser.Push("nk>")), ElementsAre());
  EXPECT_FALSE(parser.thinking());
  EXPECT_THAT(Describe(parser.Push("\n\nYes <")), ElementsAre("text: Yes"));
  EXPECT_THAT(Describe(parser.Push("b>")), ElementsAre("text:  <b>"));
  EXPECT_THAT(Describe(parser.Push("<tool_call>\n<function=weather>")),
              ElementsAre("call 0 weather"));
  EXPECT_THAT(Describe(parser.Push("\n<parameter=city>\nNew")),
              ElementsAre(R"(args 0: {"city": "New)"));
  EXPECT_THAT(Describe(parser.Push(" Ulm\n")), ElementsAre("args 0:  Ulm"));
  EXPECT_THAT(Describe(parser.Push("</parameter>\n<")), ElementsAre());
  EXPECT_THAT(Describe(parser.Push("/function>")), ElementsAre("args 0: \"}", "end 0 whole"));
  EXPECT_THAT(Describe(parser.Finish()), ElementsAre());
}

}  // namespace
}  // namespace flashmoe
