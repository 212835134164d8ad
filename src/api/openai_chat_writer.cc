#include "api/openai_chat_writer.h"

#include <utility>
#include <vector>

#include "api/openai_json.h"
#include "api/sse.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

Json CallJson(const std::string& id, const std::string& name, const std::string& arguments) {
  return {
      {"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments}}}};
}

class OpenAiChatWriter : public AnswerWriter {
 public:
  OpenAiChatWriter(AnswerHead head, OpenAiChatWriterOptions options)
      : head_(std::move(head)), options_(options) {}

  std::string Whole(const Answer& answer) override {
    Json message{{"role", "assistant"}, {"content", answer.text}, {"refusal", nullptr}};
    if (answer.text.empty() && !answer.calls.empty()) message["content"] = nullptr;
    if (!answer.reasoning.empty()) message["reasoning_content"] = answer.reasoning;
    for (size_t i = 0; i < answer.calls.size(); ++i) {
      message["tool_calls"].push_back(CallJson(CallId(head_.id, static_cast<int>(i)),
                                               answer.calls[i].name, answer.calls[i].arguments));
    }
    Json choice{{"index", 0},
                {"message", std::move(message)},
                {"logprobs", nullptr},
                {"finish_reason", FinishReasonText(answer.end.reason, !answer.calls.empty())}};
    if (options_.logprobs) {
      choice["logprobs"] = {{"content", LogprobsJson(answer.tokens)}, {"refusal", nullptr}};
    }
    Json json = Head("chat.completion");
    json["choices"] = Json::array({std::move(choice)});
    json["usage"] = UsageJson(answer.end.usage);
    return DumpJson(json);
  }

  std::string Begin(int64_t) override { return Chunk({{"role", "assistant"}, {"content", ""}}); }

  std::string Push(std::span<const AnswerEvent> events,
                   std::span<const ChosenToken> tokens) override {
    if (options_.logprobs) waiting_.insert(waiting_.end(), tokens.begin(), tokens.end());
    std::string out;
    for (const AnswerEvent& event : events) out += Event(event);
    return out;
  }

  std::string End(const AnswerEnd& end) override {
    const std::string out = Chunk(Json::object(), FinishReasonText(end.reason, has_calls_));
    return out + StreamEnd(Head("chat.completion.chunk"), options_.stream_usage, end.usage);
  }

  std::string Fail(const Error& error) override { return StreamError(error); }

 private:
  Json Head(const char* object) const {
    return {{"id", "chatcmpl-" + head_.id},
            {"object", object},
            {"created", head_.created_s},
            {"model", head_.model}};
  }

  std::string Event(const AnswerEvent& event) {
    using Kind = AnswerEvent::Kind;
    switch (event.kind) {
      case Kind::kReasoning:
        return Chunk({{"reasoning_content", event.text}});
      case Kind::kText:
        return Chunk({{"content", event.text}});
      case Kind::kCallBegin:
        return CallChunk(event.call, CallJson(CallId(head_.id, event.call), event.text, ""));
      case Kind::kCallArguments:
        return CallChunk(event.call, {{"function", {{"arguments", event.text}}}});
      case Kind::kCallEnd:
        has_calls_ |= event.complete;
        return {};
    }
    return {};
  }

  std::string CallChunk(int index, const Json& members) {
    Json call{{"index", index}};
    call.update(members);
    return Chunk({{"tool_calls", Json::array({std::move(call)})}});
  }

  // The tokens that waited go with it.
  std::string Chunk(Json delta, const Json& finish_reason = nullptr) {
    Json choice{{"index", 0}, {"delta", std::move(delta)}, {"logprobs", nullptr}};
    if (!waiting_.empty()) {
      choice["logprobs"] = {{"content", LogprobsJson(std::exchange(waiting_, {}))},
                            {"refusal", nullptr}};
    }
    choice["finish_reason"] = finish_reason;
    Json json = Head("chat.completion.chunk");
    json["choices"] = Json::array({std::move(choice)});
    if (options_.stream_usage) json["usage"] = nullptr;
    return SseData(json);
  }

  AnswerHead head_;
  OpenAiChatWriterOptions options_;
  std::vector<ChosenToken> waiting_;  // with a later event
  bool has_calls_ = false;
};

}  // namespace

std::unique_ptr<AnswerWriter> MakeOpenAiChatWriter(AnswerHead head,
                                                   OpenAiChatWriterOptions options) {
  return std::make_unique<OpenAiChatWriter>(std::move(head), options);
}

}  // namespace flashmoe
