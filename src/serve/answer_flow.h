// From the scheduler's pieces of an answer to the bytes of a response.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "api/answer_writer.h"
#include "api/api_error.h"
#include "chat/output_parser.h"
#include "engine/scheduler.h"
#include "http/server.h"
#include "serve/served_model.h"

namespace flashmoe {

// Sends an error in the API's own form, with Retry-After where it says when to come again.
void SendError(http::Exchange& exchange, ApiStyle style, const Error& error);

// One answer. Made by the thread that read the request; the job's callbacks keep it alive.
class AnswerFlow : public std::enable_shared_from_this<AnswerFlow> {
 public:
  struct Parts {
    std::shared_ptr<http::Exchange> exchange;
    std::unique_ptr<AnswerWriter> writer;
    ApiStyle style = ApiStyle::kOpenAi;
    bool stream = false;
    std::string id = {};  // of the request, for its header
  };
  // `text` must outlive this.
  AnswerFlow(const TextModel& text, Parts parts, PreparedRequest prepared);

  // Once; to be submitted.
  Job MakeJob();
  // The job was taken: a stream begins now, so that its reader knows.
  void Begin();
  // The job was not taken.
  void Refuse(const Error& error);

 private:
  bool OnPiece(const AnswerPiece& piece);
  void OnEnd(Result<GenerateResult> result);
  // Returns whether the answer should go on.
  bool Emit(std::vector<AnswerEvent> events, std::span<const ChosenToken> tokens);
  std::vector<AnswerEvent> Parse(std::string_view text);
  ChosenToken Chosen(const AnswerPiece& piece) const;
  void Fail(const Error& error);
  http::Header IdHeader() const;

  const TextModel& text_;
  Parts parts_;
  PreparedRequest prepared_;
  std::optional<OutputParser> parser_;  // of chats
  AnswerBuilder builder_;               // of answers that are given as a whole
  AnswerUsage usage_;
  bool call_ended_ = false;
  bool cut_off_ = false;  // nobody takes any more of it
  std::once_flag begun_;
};

}  // namespace flashmoe
