#include "chat/output_parser.h"

#include <array>
#include <optional>
#include <utility>

#include "chat/held_text.h"
#include "chat/json_call.h"
#include "chat/xml_call.h"

namespace flashmoe {
namespace {

using Kind = AnswerEvent::Kind;

constexpr std::string_view kThink = "<think>", kThinkEnd = "</think>";
constexpr std::string_view kBlock = "<tool_call>", kBlockEnd = "</tool_call>";
constexpr std::string_view kFunction = "<function=";
constexpr std::string_view kLineBreaks = "\r\n";
constexpr size_t kNameBytesMax = 128;

// With and without calls.
constexpr std::array<std::string_view, 2> kThinkingMarks = {kThinkEnd, kBlock};
constexpr std::array<std::string_view, 1> kTextMarks = {kBlock};

// Where the name of a function ends; nullopt: it is no name; `text.size()`: not here yet.
std::optional<size_t> NameEnd(std::string_view text) {
  const size_t end = text.find_first_of("><\" \t\r\n");
  if (end == std::string_view::npos) {
    if (text.size() > kNameBytesMax) return std::nullopt;
    return text.size();
  }
  if (end == 0 || end > kNameBytesMax || text[end] != '>') return std::nullopt;
  return end;
}

}  // namespace

struct OutputParser::Impl {
  enum class At {
    kStart,  // may begin with <think>
    kThinking,
    kMarkInThinking,  // after <tool_call>, before it is clear whether a call follows
    kCallInThinking,  // what is a call if the thinking never ends
    kText,
    kBlock,  // after <tool_call> or a call, before it is clear whether a call follows
    kXml,
    kJson,
    kBlockRest,  // after what is wrong with a call
  };

  explicit Impl(OutputParserOptions o) : options(std::move(o)) {}

  OutputParserOptions options;
  HeldText held;
  bool ended = false;
  At at = At::kStart;
  // Leading spaces of the held text that belong to the text before it, unless a call follows.
  size_t space = 0;
  size_t scanned = 0;     // bytes of the held text that were looked at already
  std::string_view skip;  // characters to be left out before the next text
  size_t block_mark = 0;  // kBlock: bytes of the mark itself
  int calls = 0;
  std::optional<XmlCallReader> xml;
  std::optional<JsonCallReader> json;
  bool json_begun = false;
  size_t arguments_sent = 0;  // of json
  std::vector<AnswerEvent> events;

  void Emit(Kind kind, std::string_view text) {
    if (text.empty()) return;
    if (!events.empty() && events.back().kind == kind) {
      events.back().text += text;
      return;
    }
    events.push_back({.kind = kind, .text = std::string(text)});
    if (kind == Kind::kCallArguments) events.back().call = calls;
  }
  void BeginCall(std::string_view name) {
    events.push_back({.kind = Kind::kCallBegin, .text = std::string(name), .call = calls});
  }
  void EndCall(bool complete) {
    events.push_back({.kind = Kind::kCallEnd, .call = calls, .complete = complete});
    ++calls;
  }

  // Each returns whether there may be more to do with the text at hand.
  bool Step();
  bool Start();
  bool Thinking();
  bool MarkInThinking();
  bool CallInThinking();
  bool Text();
  bool Block();
  bool Xml();
  bool Json();
  bool BlockRest();

  FoundMark EmitUpTo(Kind kind, std::span<const std::string_view> marks);
  bool Skip();
  void EnterText(std::string_view skipped);
  void EnterBlock(size_t mark_bytes);
  bool NoCall();
  void BeginXml(std::string_view name);
  void End(bool cut_off);
};

bool OutputParser::Impl::Step() {
  switch (at) {
    case At::kStart:
      return Start();
    case At::kThinking:
      return Thinking();
    case At::kMarkInThinking:
      return MarkInThinking();
    case At::kCallInThinking:
      return CallInThinking();
    case At::kText:
      return Text();
    case At::kBlock:
      return Block();
    case At::kXml:
      return Xml();
    case At::kJson:
      return Json();
    case At::kBlockRest:
      return BlockRest();
  }
  return false;
}

bool OutputParser::Impl::Start() {
  const size_t begin = SkipSpace(held.view(), scanned);
  scanned = begin;
  const MarkMatch match = MatchMark(held.view().substr(begin), kThink);
  if (match == MarkMatch::kPartly && !ended) return false;
  scanned = 0;
  if (match == MarkMatch::kYes) held.Drop(begin + kThink.size());
  at = match == MarkMatch::kYes || options.starts_in_thinking ? At::kThinking : At::kText;
  if (at == At::kThinking) skip = kSpace;
  return true;
}

// Leaves out what `skip` says; false: nothing else is here.
bool OutputParser::Impl::Skip() {
  if (skip.empty()) return true;
  const size_t begin = held.view().find_first_not_of(skip);
  held.Drop(begin == std::string_view::npos ? held.view().size() : begin);
  if (held.view().empty()) return false;
  skip = {};
  return true;
}

// Gives out the held text up to the first mark, or to where one may begin, but for the spaces in
// front of that.
FoundMark OutputParser::Impl::EmitUpTo(Kind kind, std::span<const std::string_view> marks) {
  const FoundMark found = FindMark(held.view(), scanned, marks);
  const std::string_view fresh = held.view().substr(space, found.at - space);
  const size_t last = fresh.find_last_not_of(kSpace);
  const size_t safe = last == std::string_view::npos ? 0 : space + last + 1;
  Emit(kind, held.view().substr(0, safe));
  held.Drop(safe);
  space = scanned = found.at - safe;
  return {scanned, found.mark};
}

bool OutputParser::Impl::Thinking() {
  if (!Skip()) return false;
  const std::span marks(kThinkingMarks);
  const FoundMark found = EmitUpTo(Kind::kReasoning, options.tool_calls ? marks : marks.first(1));
  if (found.mark < 0) return false;
  if (found.mark == 0) {
    held.Drop(found.at + kThinkEnd.size());
    EnterText(kLineBreaks);
  } else {
    at = At::kMarkInThinking;
    scanned += kBlock.size();
  }
  return true;
}

// Thinking may speak of calls, and a model may call without having ended its thinking. Which of the
// two it is shows when the thinking ends, or never does.
bool OutputParser::Impl::MarkInThinking() {
  scanned = SkipSpace(held.view(), scanned);
  const std::string_view next = held.view().substr(scanned);
  const MarkMatch match = MatchMark(next, kFunction);
  if (match == MarkMatch::kPartly) return false;
  if (match == MarkMatch::kYes || next.front() == '{') {
    at = At::kCallInThinking;
    return true;
  }
  const size_t mark_end = space + kBlock.size();
  Emit(Kind::kReasoning, held.view().substr(0, mark_end));
  held.Drop(mark_end);
  space = scanned = 0;
  at = At::kThinking;
  return true;
}

bool OutputParser::Impl::CallInThinking() {
  const FoundMark found = FindMark(held.view(), scanned, std::array{kThinkEnd});
  scanned = found.at;
  if (found.mark < 0) return false;
  const std::string_view thought = held.view().substr(0, found.at);
  Emit(Kind::kReasoning, thought.substr(0, thought.find_last_not_of(kSpace) + 1));
  held.Drop(found.at + kThinkEnd.size());
  EnterText(kLineBreaks);
  return true;
}

void OutputParser::Impl::EnterText(std::string_view skipped) {
  at = At::kText;
  skip = skipped;
  space = scanned = 0;
}

bool OutputParser::Impl::Text() {
  if (!Skip()) return false;
  if (!options.tool_calls) {
    Emit(Kind::kText, held.view());
    held.Drop(held.view().size());
    return false;
  }
  const FoundMark found = EmitUpTo(Kind::kText, kTextMarks);
  if (found.mark < 0) return false;
  EnterBlock(kBlock.size());
  return true;
}

// The held text begins with `space` and a mark of `mark_bytes`.
void OutputParser::Impl::EnterBlock(size_t mark_bytes) {
  at = At::kBlock;
  block_mark = mark_bytes;
  scanned = space + mark_bytes;
}

bool OutputParser::Impl::Block() {
  const size_t begin = SkipSpace(held.view(), scanned);
  scanned = begin;
  const std::string_view next = held.view().substr(begin);
  if (next.empty()) return false;
  if (next.front() == '{') {
    json.emplace();
    json_begun = false;
    arguments_sent = 0;
    at = At::kJson;
    return true;
  }
  if (block_mark == 0 && MatchMark(next, kBlockEnd) != MarkMatch::kNo) {
    if (MatchMark(next, kBlockEnd) == MarkMatch::kPartly) return false;
    held.Drop(begin + kBlockEnd.size());
    EnterText(kSpace);
    return true;
  }
  const MarkMatch match = MatchMark(next, kFunction);
  if (match == MarkMatch::kPartly) return false;
  if (match == MarkMatch::kNo) return NoCall();
  const std::optional<size_t> end = NameEnd(next.substr(kFunction.size()));
  if (!end.has_value()) return NoCall();
  if (kFunction.size() + *end == next.size()) return false;
  BeginXml(next.substr(kFunction.size(), *end));
  held.Drop(begin + kFunction.size() + *end + 1);
  return true;
}

// No call follows: the mark is text, and so is what comes.
bool OutputParser::Impl::NoCall() {
  const size_t mark_end = block_mark > 0 ? space + block_mark : 0;
  Emit(Kind::kText, held.view().substr(0, mark_end));
  held.Drop(mark_end);
  EnterText(block_mark > 0 ? std::string_view() : kSpace);
  return true;
}

void OutputParser::Impl::BeginXml(std::string_view name) {
  static const nlohmann::ordered_json kUnknown;
  const nlohmann::ordered_json* parameters = &kUnknown;
  for (const ChatTool& tool : options.tools) {
    if (tool.name == name) parameters = &tool.parameters;
  }
  BeginCall(name);
  xml.emplace(*parameters);
  at = At::kXml;
}

bool OutputParser::Impl::Xml() {
  std::string arguments;
  const XmlCallReader::State state = xml->Read(held, ended, arguments);
  Emit(Kind::kCallArguments, arguments);
  if (state == XmlCallReader::State::kReading) return false;
  EndCall(true);
  space = scanned = 0;
  if (state == XmlCallReader::State::kFunctionEnd) {
    EnterBlock(0);
  } else {
    EnterText(kSpace);
  }
  return true;
}

bool OutputParser::Impl::Json() {
  scanned += json->Push(held.view().substr(scanned));
  const JsonCallReader::State state = json->state();
  if (json->name().empty()) return state != JsonCallReader::State::kReading && NoCall();
  if (!json_begun) BeginCall(json->name());
  json_begun = true;
  held.Drop(scanned);
  space = scanned = 0;
  Emit(Kind::kCallArguments, std::string_view(json->arguments()).substr(arguments_sent));
  arguments_sent = json->arguments().size();
  if (state == JsonCallReader::State::kReading) return false;
  EndCall(json->ArgumentsAreWhole());
  if (state == JsonCallReader::State::kDone) {
    EnterBlock(0);
  } else {
    at = At::kBlockRest;
  }
  return true;
}

bool OutputParser::Impl::BlockRest() {
  const FoundMark found = FindMark(held.view(), 0, std::array{kBlockEnd});
  held.Drop(found.at);
  if (found.mark < 0) return false;
  held.Drop(kBlockEnd.size());
  EnterText(kSpace);
  return true;
}

void OutputParser::Impl::End(bool cut_off) {
  if (cut_off && at == At::kStart) return;
  ended = true;
  if (at == At::kMarkInThinking || at == At::kCallInThinking) {
    held.Drop(space);
    EnterText({});
  }
  while (Step()) {
  }
  std::string_view rest = held.view();
  if (cut_off && scanned < rest.size()) rest = {};
  if (at == At::kThinking) {
    Emit(Kind::kReasoning, rest.substr(0, rest.find_last_not_of(kSpace) + 1));
  }
  if (at == At::kText) Emit(Kind::kText, rest);
  if (at == At::kXml || (at == At::kJson && json_begun)) EndCall(false);
}

OutputParser::OutputParser(OutputParserOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
OutputParser::OutputParser(OutputParser&&) noexcept = default;
OutputParser& OutputParser::operator=(OutputParser&&) noexcept = default;
OutputParser::~OutputParser() = default;

std::vector<AnswerEvent> OutputParser::Push(std::string_view text) {
  impl_->held.Append(text);
  while (impl_->Step()) {
  }
  return std::exchange(impl_->events, {});
}

std::vector<AnswerEvent> OutputParser::Finish(bool cut_off) {
  impl_->End(cut_off);
  return std::exchange(impl_->events, {});
}

bool OutputParser::thinking() const {
  using At = Impl::At;
  if (impl_->at == At::kStart) return impl_->options.starts_in_thinking;
  return impl_->at == At::kThinking || impl_->at == At::kMarkInThinking ||
         impl_->at == At::kCallInThinking;
}

}  // namespace flashmoe
