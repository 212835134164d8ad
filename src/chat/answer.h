// What comes back: an answer as events while it is written, and as a whole.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chat/chat_request.h"

namespace flashmoe {

// A step of an answer. Calls do not overlap: kCallBegin, kCallArguments..., kCallEnd.
struct AnswerEvent {
  enum class Kind {
    kReasoning,      // `text`: more of what the model thinks
    kText,           // `text`: more of what it says
    kCallBegin,      // `text`: the name of the tool
    kCallArguments,  // `text`: more of the arguments, as JSON
    kCallEnd,        // `complete`
  };
  Kind kind = Kind::kText;
  std::string text = {};
  int call = 0;  // of the call kinds: which one, from 0
  // Of kCallEnd: the call is well-formed as a whole. Otherwise the model stopped within it or wrote
  // arguments that are no JSON; such a call must not be run.
  bool complete = false;

  friend bool operator==(const AnswerEvent&, const AnswerEvent&) = default;
};

// What a token might have been.
struct TokenChoice {
  int32_t token = -1;
  std::string bytes = {};  // not always whole UTF-8 characters
  double logprob = 0;
};
struct ChosenToken {
  TokenChoice chosen = {};
  std::vector<TokenChoice> top = {};  // best first
};

struct AnswerUsage {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompt's, held from earlier requests
  int64_t completion_tokens = 0;
  int64_t reasoning_tokens = 0;  // of the completion's
};

struct AnswerEnd {
  enum class Reason {
    kStop,    // the model was done, or came to a stop string
    kLength,  // the limit or the end of the context
  };
  Reason reason = Reason::kStop;
  std::string stop_string = {};  // the one that ended the answer, if one did
  AnswerUsage usage = {};
};

// A whole answer. Holds complete calls only.
struct Answer {
  std::string reasoning, text;
  std::vector<ToolCall> calls;      // without ids
  std::vector<ChosenToken> tokens;  // if they were asked for
  AnswerEnd end;
};

// Puts an answer together.
class AnswerBuilder {
 public:
  void Add(const AnswerEvent& event);
  void Add(ChosenToken token) { answer_.tokens.push_back(std::move(token)); }
  // The answer, once.
  Answer Finish(AnswerEnd end);

 private:
  Answer answer_;
  ToolCall open_;
};

}  // namespace flashmoe
