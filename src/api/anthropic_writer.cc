#include "api/anthropic_writer.h"

#include <fmt/format.h>

#include <utility>

#include "api/api_error.h"
#include "api/sse.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

// Thinking blocks carry a signature, which clients keep and send back. Nothing is signed here.
constexpr const char* kSignature = "unsigned";

// Tokens that were held already do not count as input.
Json UsageOfMessage(const AnswerUsage& usage) {
  return {{"input_tokens", usage.prompt_tokens - usage.cached_tokens},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", usage.cached_tokens},
          {"output_tokens", usage.completion_tokens}};
}

const char* StopReason(const AnswerEnd& end, bool has_calls) {
  if (end.reason == AnswerEnd::Reason::kLength) return "max_tokens";
  if (has_calls) return "tool_use";
  return end.stop_string.empty() ? "end_turn" : "stop_sequence";
}

// An answer is a list of blocks: thinking, text and calls. One is open at a time.
class AnthropicWriter : public AnswerWriter {
 public:
  explicit AnthropicWriter(AnswerHead head) : head_(std::move(head)) {}

  std::string Whole(const Answer& answer) override {
    Json content = Json::array();
    if (!answer.reasoning.empty()) {
      content.push_back(
          {{"type", "thinking"}, {"thinking", answer.reasoning}, {"signature", kSignature}});
    }
    if (!answer.text.empty()) content.push_back({{"type", "text"}, {"text", answer.text}});
    for (size_t i = 0; i < answer.calls.size(); ++i) {
      const ToolCall& call = answer.calls[i];
      auto input = ParseOrderedJson(call.arguments);
      content.push_back({{"type", "tool_use"},
                         {"id", ToolUseId(static_cast<int>(i))},
                         {"name", call.name},
                         {"input", input.has_value() ? std::move(*input) : Json::object()}});
    }
    Json message = Message();
    message["content"] = std::move(content);
    message.update(StopJson(answer.end, !answer.calls.empty()));
    message["usage"] = UsageOfMessage(answer.end.usage);
    return DumpJson(message);
  }

  std::string Begin(int64_t prompt_tokens) override {
    Json message = Message();
    message["usage"] = UsageOfMessage({.prompt_tokens = prompt_tokens});
    return SseEvent({{"type", "message_start"}, {"message", std::move(message)}}) + KeepAlive();
  }

  std::string Push(std::span<const AnswerEvent> events, std::span<const ChosenToken>) override {
    std::string out;
    for (const AnswerEvent& event : events) out += OnEvent(event);
    return out;
  }

  std::string End(const AnswerEnd& end) override {
    std::string out = CloseBlock();
    out += SseEvent({{"type", "message_delta"},
                     {"delta", StopJson(end, has_calls_)},
                     {"usage", UsageOfMessage(end.usage)}});
    return out + SseEvent({{"type", "message_stop"}});
  }

  std::string Fail(const Error& error) override {
    return "event: error\ndata: " + ErrorBody(ApiStyle::kAnthropic, HttpStatus(error.code), error) +
           "\n\n";
  }

  std::string KeepAlive() override { return SseEvent({{"type", "ping"}}); }

 private:
  enum class Open { kNothing, kThinking, kText, kCall };

  std::string ToolUseId(int call) const { return fmt::format("toolu_{}_{}", head_.id, call); }

  Json Message() const {
    return {{"id", "msg_" + head_.id}, {"type", "message"},        {"role", "assistant"},
            {"model", head_.model},    {"content", Json::array()}, {"stop_reason", nullptr},
            {"stop_sequence", nullptr}};
  }

  static Json StopJson(const AnswerEnd& end, bool has_calls) {
    const std::string reason = StopReason(end, has_calls);
    Json json{{"stop_reason", reason}, {"stop_sequence", nullptr}};
    if (reason == "stop_sequence") json["stop_sequence"] = end.stop_string;
    return json;
  }

  std::string OnEvent(const AnswerEvent& event) {
    using Kind = AnswerEvent::Kind;
    std::string out;
    switch (event.kind) {
      case Kind::kReasoning:
        out =
            OpenBlock(Open::kThinking, {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}});
        out += Delta({{"type", "thinking_delta"}, {"thinking", event.text}});
        break;
      case Kind::kText:
        out = OpenBlock(Open::kText, {{"type", "text"}, {"text", ""}});
        out += Delta({{"type", "text_delta"}, {"text", event.text}});
        break;
      case Kind::kCallBegin:
        out = OpenBlock(Open::kCall, {{"type", "tool_use"},
                                      {"id", ToolUseId(event.call)},
                                      {"name", event.text},
                                      {"input", Json::object()}});
        break;
      case Kind::kCallArguments:
        out = Delta({{"type", "input_json_delta"}, {"partial_json", event.text}});
        break;
      case Kind::kCallEnd:
        has_calls_ |= event.complete;
        out = CloseBlock();
        break;
    }
    return out;
  }

  // If it is not open already.
  std::string OpenBlock(Open kind, const Json& block) {
    if (open_ == kind) return {};
    std::string out = CloseBlock();
    open_ = kind;
    return out +
           SseEvent({{"type", "content_block_start"}, {"index", index_}, {"content_block", block}});
  }

  std::string Delta(const Json& delta) const {
    return SseEvent({{"type", "content_block_delta"}, {"index", index_}, {"delta", delta}});
  }

  std::string CloseBlock() {
    if (open_ == Open::kNothing) return {};
    std::string out;
    if (open_ == Open::kThinking) {
      out = Delta({{"type", "signature_delta"}, {"signature", kSignature}});
    }
    out += SseEvent({{"type", "content_block_stop"}, {"index", index_++}});
    open_ = Open::kNothing;
    return out;
  }

  AnswerHead head_;
  Open open_ = Open::kNothing;
  int index_ = 0;  // of the open block, or of the next
  bool has_calls_ = false;
};

}  // namespace

std::unique_ptr<AnswerWriter> MakeAnthropicWriter(AnswerHead head) {
  return std::make_unique<AnthropicWriter>(std::move(head));
}

}  // namespace flashmoe
