#include "api/openai_responses_writer.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "api/api_error.h"
#include "api/openai_json.h"
#include "api/sse.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

Json UsageOfResponse(const AnswerUsage& usage) {
  return {{"input_tokens", usage.prompt_tokens},
          {"input_tokens_details", {{"cached_tokens", usage.cached_tokens}}},
          {"output_tokens", usage.completion_tokens},
          {"output_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
}

// An answer is a list of items: thinking, messages and calls. One is open at a time.
class OpenAiResponseWriter : public AnswerWriter {
 public:
  OpenAiResponseWriter(AnswerHead head, OpenAiResponseWriterOptions options)
      : head_(std::move(head)), options_(std::move(options)) {}

  // Goes the way of a stream and keeps what that ends with.
  std::string Whole(const Answer& answer) override {
    using Kind = AnswerEvent::Kind;
    std::vector<AnswerEvent> events;
    if (!answer.reasoning.empty()) {
      events.push_back({.kind = Kind::kReasoning, .text = answer.reasoning});
    }
    if (!answer.text.empty()) events.push_back({.kind = Kind::kText, .text = answer.text});
    for (size_t i = 0; i < answer.calls.size(); ++i) {
      const int call = static_cast<int>(i);
      events.push_back({.kind = Kind::kCallBegin, .text = answer.calls[i].name, .call = call});
      events.push_back(
          {.kind = Kind::kCallArguments, .text = answer.calls[i].arguments, .call = call});
      events.push_back({.kind = Kind::kCallEnd, .call = call, .complete = true});
    }
    Push(events, answer.tokens);
    CloseItem("completed");
    return DumpJson(AtEnd(answer.end));
  }

  std::string Begin(int64_t) override {
    const Json response = Response("in_progress");
    std::string out = Event("response.created", {{"response", response}});
    out += Event("response.in_progress", {{"response", response}});
    return out;
  }

  std::string Push(std::span<const AnswerEvent> events,
                   std::span<const ChosenToken> tokens) override {
    if (options_.logprobs) waiting_.insert(waiting_.end(), tokens.begin(), tokens.end());
    std::string out;
    for (const AnswerEvent& event : events) out += OnEvent(event);
    return out;
  }

  std::string End(const AnswerEnd& end) override {
    const bool whole = end.reason == AnswerEnd::Reason::kStop;
    std::string out = CloseItem(whole ? "completed" : "incomplete");
    out += Event(whole ? "response.completed" : "response.incomplete", {{"response", AtEnd(end)}});
    return out;
  }

  std::string Fail(const Error& error) override {
    std::string out = CloseItem("incomplete");
    Json response = Response("failed");
    response["error"] = {{"code", "server_error"}, {"message", error.ToString()}};
    out += Event("response.failed", {{"response", response}});
    return out;
  }

 private:
  enum class Open { kNothing, kReasoning, kText, kCall };

  Json Response(const char* status) const {
    Json json{{"id", "resp_" + head_.id}, {"object", "response"}, {"created_at", head_.created_s},
              {"status", status},         {"error", nullptr},     {"incomplete_details", nullptr},
              {"model", head_.model},     {"output", output_}};
    for (const auto& [key, value] : options_.echo.items()) json[key] = value;
    json["usage"] = nullptr;
    return json;
  }

  Json AtEnd(const AnswerEnd& end) const {
    const bool whole = end.reason == AnswerEnd::Reason::kStop;
    Json json = Response(whole ? "completed" : "incomplete");
    if (!whole) json["incomplete_details"] = {{"reason", "max_output_tokens"}};
    json["usage"] = UsageOfResponse(end.usage);
    return json;
  }

  std::string Event(const char* type, const Json& members) {
    Json json{{"type", type}, {"sequence_number", sequence_++}};
    json.update(members);
    return SseEvent(json);
  }
  // An event of the open item.
  std::string ItemEvent(const char* type, const Json& members) {
    Json json{{"item_id", item_["id"]}, {"output_index", output_.size()}};
    json.update(members);
    return Event(type, json);
  }

  std::string OnEvent(const AnswerEvent& event) {
    using Kind = AnswerEvent::Kind;
    std::string out;
    switch (event.kind) {
      case Kind::kReasoning:
        out = OpenContent(Open::kReasoning);
        out += Delta("response.reasoning_text.delta", event.text);
        break;
      case Kind::kText:
        out = OpenContent(Open::kText);
        out += Delta("response.output_text.delta", event.text);
        break;
      case Kind::kCallBegin:
        out = OpenCall(event);
        break;
      case Kind::kCallArguments:
        text_ += event.text;
        out = ItemEvent("response.function_call_arguments.delta", {{"delta", event.text}});
        break;
      case Kind::kCallEnd:
        out = CloseItem(event.complete ? "completed" : "incomplete");
        break;
    }
    return out;
  }

  // REQUIRES: no item is open.
  std::string OpenItem(Open kind, Json item) {
    open_ = kind;
    item_ = std::move(item);
    text_.clear();
    logprobs_ = Json::array();
    return Event("response.output_item.added", {{"output_index", output_.size()}, {"item", item_}});
  }

  // An item whose content is one part of text, if it is not open already.
  std::string OpenContent(Open kind) {
    if (open_ == kind) return {};
    std::string out = CloseItem("completed");
    const bool text = kind == Open::kText;
    Json item{{"id", fmt::format("{}_{}_{}", text ? "msg" : "rs", head_.id, output_.size())},
              {"type", text ? "message" : "reasoning"},
              {"status", "in_progress"}};
    if (text) item["role"] = "assistant";
    if (!text) item["summary"] = Json::array();
    item["content"] = Json::array();
    out += OpenItem(kind, std::move(item));
    out += ItemEvent("response.content_part.added", {{"content_index", 0}, {"part", Part()}});
    return out;
  }

  std::string OpenCall(const AnswerEvent& event) {
    std::string out = CloseItem("completed");
    out += OpenItem(Open::kCall, {{"id", fmt::format("fc_{}_{}", head_.id, output_.size())},
                                  {"type", "function_call"},
                                  {"status", "in_progress"},
                                  {"call_id", CallId(head_.id, event.call)},
                                  {"name", event.text},
                                  {"arguments", ""}});
    return out;
  }

  // The content of the open item.
  Json Part() const {
    if (open_ == Open::kReasoning) return {{"type", "reasoning_text"}, {"text", text_}};
    return {{"type", "output_text"},
            {"text", text_},
            {"annotations", Json::array()},
            {"logprobs", logprobs_}};
  }

  std::string Delta(const char* type, const std::string& delta) {
    text_ += delta;
    Json members{{"content_index", 0}, {"delta", delta}};
    if (open_ == Open::kText) {
      members["logprobs"] = LogprobsJson(std::exchange(waiting_, {}));
      for (const Json& entry : members["logprobs"]) logprobs_.push_back(entry);
    }
    return ItemEvent(type, members);
  }

  std::string CloseItem(const char* status) {
    if (open_ == Open::kNothing) return {};
    std::string out;
    if (open_ == Open::kCall) {
      out = ItemEvent("response.function_call_arguments.done",
                      {{"name", item_["name"]}, {"arguments", text_}});
      item_["arguments"] = text_;
    } else {
      const bool text = open_ == Open::kText;
      Json done{{"content_index", 0}, {"text", text_}};
      if (text) done["logprobs"] = logprobs_;
      out = ItemEvent(text ? "response.output_text.done" : "response.reasoning_text.done", done);
      out += ItemEvent("response.content_part.done", {{"content_index", 0}, {"part", Part()}});
      item_["content"].push_back(Part());
    }
    item_["status"] = status;
    out += Event("response.output_item.done", {{"output_index", output_.size()}, {"item", item_}});
    output_.push_back(std::move(item_));
    open_ = Open::kNothing;
    return out;
  }

  AnswerHead head_;
  OpenAiResponseWriterOptions options_;
  int64_t sequence_ = 0;
  Json output_ = Json::array();  // items that are closed
  Open open_ = Open::kNothing;
  Json item_;  // the open one, and what is in it so far
  std::string text_;
  Json logprobs_ = Json::array();
  std::vector<ChosenToken> waiting_;  // with a later text
};

}  // namespace

std::unique_ptr<AnswerWriter> MakeOpenAiResponseWriter(AnswerHead head,
                                                       OpenAiResponseWriterOptions options) {
  return std::make_unique<OpenAiResponseWriter>(std::move(head), std::move(options));
}

}  // namespace flashmoe
