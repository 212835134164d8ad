#include "chat/answer.h"

#include <utility>

namespace flashmoe {

void AnswerBuilder::Add(const AnswerEvent& event) {
  using Kind = AnswerEvent::Kind;
  switch (event.kind) {
    case Kind::kReasoning:
      answer_.reasoning += event.text;
      break;
    case Kind::kText:
      answer_.text += event.text;
      break;
    case Kind::kCallBegin:
      open_ = {};
      open_.name = event.text;
      break;
    case Kind::kCallArguments:
      open_.arguments += event.text;
      break;
    case Kind::kCallEnd:
      if (event.complete) answer_.calls.push_back(std::move(open_));
      open_ = {};
      break;
  }
}

Answer AnswerBuilder::Finish(AnswerEnd end) {
  answer_.end = std::move(end);
  return std::move(answer_);
}

}  // namespace flashmoe
