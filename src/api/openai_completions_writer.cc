#include "api/openai_completions_writer.h"

#include <utility>
#include <vector>

#include "api/openai_json.h"
#include "api/sse.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

class OpenAiCompletionWriter : public AnswerWriter {
 public:
  OpenAiCompletionWriter(AnswerHead head, OpenAiCompletionWriterOptions options)
      : head_(std::move(head)), options_(options) {}

  std::string Whole(const Answer& answer) override {
    waiting_ = answer.tokens;
    Json json = WithChoice(answer.text, FinishReasonText(answer.end.reason, false));
    json["usage"] = UsageJson(answer.end.usage);
    return DumpJson(json);
  }

  std::string Begin(int64_t) override { return {}; }

  std::string Push(std::span<const AnswerEvent> events,
                   std::span<const ChosenToken> tokens) override {
    if (options_.logprobs) waiting_.insert(waiting_.end(), tokens.begin(), tokens.end());
    std::string out;
    for (const AnswerEvent& event : events) {
      if (event.kind == AnswerEvent::Kind::kText) out += Chunk(event.text, nullptr);
    }
    return out;
  }

  std::string End(const AnswerEnd& end) override {
    const std::string out = Chunk("", FinishReasonText(end.reason, false));
    return out + StreamEnd(Head(), options_.stream_usage, end.usage);
  }

  std::string Fail(const Error& error) override { return StreamError(error); }

 private:
  Json Head() const {
    return {{"id", "cmpl-" + head_.id},
            {"object", "text_completion"},
            {"created", head_.created_s},
            {"model", head_.model}};
  }

  // Four lists, an entry for each token.
  Json TakeLogprobs() {
    if (!options_.logprobs) return nullptr;
    Json tokens = Json::array(), logprobs = Json::array(), top = Json::array(),
         offsets = Json::array();
    for (const Json& entry : LogprobsJson(std::exchange(waiting_, {}))) {
      const std::string text = SanitizeUtf8(entry["token"].get_ref<const std::string&>());
      Json best = Json::object();
      for (const Json& choice : entry["top_logprobs"]) {
        best[SanitizeUtf8(choice["token"].get_ref<const std::string&>())] = choice["logprob"];
      }
      tokens.push_back(text);
      logprobs.push_back(entry["logprob"]);
      top.push_back(std::move(best));
      offsets.push_back(offset_);
      offset_ += text.size();
    }
    return {{"tokens", std::move(tokens)},
            {"token_logprobs", std::move(logprobs)},
            {"top_logprobs", std::move(top)},
            {"text_offset", std::move(offsets)}};
  }

  Json WithChoice(const std::string& text, const Json& finish_reason) {
    Json json = Head();
    json["choices"] = Json::array({{{"index", 0},
                                    {"text", text},
                                    {"logprobs", TakeLogprobs()},
                                    {"finish_reason", finish_reason}}});
    return json;
  }

  std::string Chunk(const std::string& text, const Json& finish_reason) {
    Json json = WithChoice(text, finish_reason);
    if (options_.stream_usage) json["usage"] = nullptr;
    return SseData(json);
  }

  AnswerHead head_;
  OpenAiCompletionWriterOptions options_;
  std::vector<ChosenToken> waiting_;  // with a later text
  size_t offset_ = 0;                 // bytes of the tokens before
};

}  // namespace

std::unique_ptr<AnswerWriter> MakeOpenAiCompletionWriter(AnswerHead head,
                                                         OpenAiCompletionWriterOptions options) {
  return std::make_unique<OpenAiCompletionWriter>(std::move(head), options);
}

}  // namespace flashmoe
