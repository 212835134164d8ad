// POST /v1/completions: the answer. Text is all that it takes of events; where the prompt is to be
// echoed, that is the first of them.
#pragma once

#include <memory>

#include "api/answer_writer.h"

namespace flashmoe {

struct OpenAiCompletionWriterOptions {
  bool logprobs = false;
  bool stream_usage = false;  // stream_options.include_usage
};

std::unique_ptr<AnswerWriter> MakeOpenAiCompletionWriter(AnswerHead head,
                                                         OpenAiCompletionWriterOptions options);

}  // namespace flashmoe
