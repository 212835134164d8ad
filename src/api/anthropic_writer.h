// POST /v1/messages: the answer.
#pragma once

#include <memory>

#include "api/answer_writer.h"

namespace flashmoe {

std::unique_ptr<AnswerWriter> MakeAnthropicWriter(AnswerHead head);

}  // namespace flashmoe
