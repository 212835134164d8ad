// An answer in the form of the API that it was asked through.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"
#include "chat/answer.h"

namespace flashmoe {

// What an answer says of itself. Ids of messages and calls are made from `id`.
struct AnswerHead {
  std::string id;         // letters and digits, at most 40, unique
  int64_t created_s = 0;  // since 1970
  std::string model;
};

// For one answer, which is either given as a whole (Whole) or written as server-sent events: Begin,
// Push..., then End or Fail. Texts are never empty lines of JSON split over events; each returned
// string is any number of whole events, often none.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  // The body of the response.
  virtual std::string Whole(const Answer& answer) = 0;

  virtual std::string Begin(int64_t prompt_tokens) = 0;
  // The events of one piece of the output, and its tokens if they were asked for.
  virtual std::string Push(std::span<const AnswerEvent> events,
                           std::span<const ChosenToken> tokens) = 0;
  virtual std::string End(const AnswerEnd& end) = 0;
  // The answer ends here with an error; HTTP's status line is gone already.
  virtual std::string Fail(const Error& error) = 0;
  // Keeps connections open while nothing comes.
  virtual std::string KeepAlive() { return ": still at work\n\n"; }
};

}  // namespace flashmoe
