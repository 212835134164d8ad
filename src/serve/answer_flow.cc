#include "serve/answer_flow.h"

#include <fmt/format.h>

#include <algorithm>

namespace flashmoe {
namespace {

constexpr int kStopRetryS = 10;

http::Response ErrorResponse(ApiStyle style, const Error& error) {
  http::Response response;
  response.status = HttpStatus(error.code);
  response.body = ErrorBody(style, response.status, error);
  if (error.retry_after_s > 0) {
    response.headers.push_back({"Retry-After", fmt::to_string(error.retry_after_s)});
  }
  return response;
}

Error CutOff() {
  return {ErrorCode::kCancelled,
          "the answer was cut off: the server is stopping",
          {},
          "ask again in a moment",
          kStopRetryS};
}

}  // namespace

void SendError(http::Exchange& exchange, ApiStyle style, const Error& error) {
  exchange.Send(ErrorResponse(style, error));
}

AnswerFlow::AnswerFlow(const TextModel& text, Parts parts, PreparedRequest prepared)
    : text_(text), parts_(std::move(parts)), prepared_(std::move(prepared)) {
  if (prepared_.is_chat) parser_.emplace(std::move(prepared_.parser));
  usage_.prompt_tokens = static_cast<int64_t>(prepared_.generate.prompt.size());
}

Job AnswerFlow::MakeJob() {
  Job job;
  job.request = std::move(prepared_.generate);
  job.cancel = parts_.exchange->cancelled();
  const auto self = shared_from_this();
  job.on_piece = [self](const AnswerPiece& piece) { return self->OnPiece(piece); };
  job.on_end = [self](Result<GenerateResult> result) { self->OnEnd(std::move(result)); };
  return job;
}

void AnswerFlow::Begin() {
  std::call_once(begun_, [this] {
    if (parts_.stream) {
      http::Response head;
      head.content_type = "text/event-stream";
      head.headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}, IdHeader()};
      head.heartbeat = parts_.writer->KeepAlive();
      head.body = parts_.writer->Begin(usage_.prompt_tokens);
      parts_.exchange->BeginStream(std::move(head));
    }
    if (!prepared_.echo.empty()) {
      Emit({{.kind = AnswerEvent::Kind::kText, .text = std::move(prepared_.echo)}}, {});
    }
  });
}

void AnswerFlow::Refuse(const Error& error) { SendError(*parts_.exchange, parts_.style, error); }

std::vector<AnswerEvent> AnswerFlow::Parse(std::string_view text) {
  if (parser_) return parser_->Push(text);
  if (text.empty()) return {};
  return {{.kind = AnswerEvent::Kind::kText, .text = std::string(text)}};
}

ChosenToken AnswerFlow::Chosen(const AnswerPiece& piece) const {
  ChosenToken token;
  token.chosen = {piece.token, std::string(text_.tokenizer.Bytes(piece.token)), piece.logprob};
  for (const TokenLogprob& t : piece.top) {
    token.top.push_back({t.token, std::string(text_.tokenizer.Bytes(t.token)), t.logprob});
  }
  return token;
}

bool AnswerFlow::Emit(std::vector<AnswerEvent> events, std::span<const ChosenToken> tokens) {
  for (const AnswerEvent& event : events) {
    call_ended_ = call_ended_ || event.kind == AnswerEvent::Kind::kCallEnd;
  }
  if (!parts_.stream) {
    for (const AnswerEvent& event : events) builder_.Add(event);
    for (const ChosenToken& token : tokens) builder_.Add(token);
  } else if (const std::string text = parts_.writer->Push(events, tokens); !text.empty()) {
    if (!parts_.exchange->Write(text)) {
      cut_off_ = true;
      return false;
    }
  }
  return prepared_.parallel_calls || !call_ended_;
}

bool AnswerFlow::OnPiece(const AnswerPiece& piece) {
  Begin();
  if (parser_ && parser_->thinking() && piece.token >= 0) ++usage_.reasoning_tokens;
  std::vector<ChosenToken> tokens;
  if (piece.token >= 0 && prepared_.logprobs) tokens.push_back(Chosen(piece));
  return Emit(Parse(piece.text), tokens);
}

void AnswerFlow::OnEnd(Result<GenerateResult> result) {
  Begin();
  if (!result.has_value()) return Fail(result.error());
  // An answer that its pieces' receiver ended looks like one that is complete.
  if (cut_off_ || result->finish == FinishReason::kCancelled) return Fail(CutOff());
  if (parser_) Emit(parser_->Finish(result->finish == FinishReason::kLength), {});
  AnswerEnd end;
  end.reason = result->finish == FinishReason::kLength ? AnswerEnd::Reason::kLength
                                                       : AnswerEnd::Reason::kStop;
  end.stop_string = std::move(result->stop_string);
  usage_.prompt_tokens = result->prompt_tokens;
  usage_.cached_tokens = result->prompt_tokens_reused;
  usage_.completion_tokens = static_cast<int64_t>(result->tokens.size());
  end.usage = usage_;
  if (parts_.stream) {
    parts_.exchange->Write(parts_.writer->End(end));
    return parts_.exchange->End();
  }
  http::Response response;
  response.headers = {IdHeader()};
  response.body = parts_.writer->Whole(builder_.Finish(std::move(end)));
  parts_.exchange->Send(std::move(response));
}

http::Header AnswerFlow::IdHeader() const {
  return {parts_.style == ApiStyle::kAnthropic ? "request-id" : "x-request-id", parts_.id};
}

void AnswerFlow::Fail(const Error& error) {
  if (!parts_.stream) {
    http::Response response = ErrorResponse(parts_.style, error);
    if (error.code == ErrorCode::kCancelled) response.status = 503;
    return parts_.exchange->Send(std::move(response));
  }
  parts_.exchange->Write(parts_.writer->Fail(error));
  parts_.exchange->End();
}

}  // namespace flashmoe
