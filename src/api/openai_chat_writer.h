// POST /v1/chat/completions: the answer.
#pragma once

#include <memory>

#include "api/answer_writer.h"

namespace flashmoe {

struct OpenAiChatWriterOptions {
  bool logprobs = false;
  bool stream_usage = false;  // stream_options.include_usage
};

std::unique_ptr<AnswerWriter> MakeOpenAiChatWriter(AnswerHead head,
                                                   OpenAiChatWriterOptions options);

}  // namespace flashmoe
