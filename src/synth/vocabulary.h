// A vocabulary for random models: byte-level BPE trained on the sample text, so that English falls
// into pieces of the usual length, filled up to as many rows as the real model has.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "format/gguf_writer.h"
#include "text/tokenizer.h"

namespace flashmoe {

struct Vocabulary {
  std::vector<std::string> tokens;  // by id, in the GPT-2 byte alphabet
  std::vector<int32_t> types;       // as in tokenizer.ggml.token_type
  std::vector<std::string> merges;  // "left right", best first
  int32_t end_of_text = 0, end_of_turn = 0;
};

// Exactly `rows` tokens: bytes, special tokens, merges as far as there is room (those of `text`
// that occur twice, most frequent first, then pairs of letters), and ids that no text has. Fails if
// there is no room for the first two.
Result<Vocabulary> MakeVocabulary(std::string_view text, PreTokenizer pre, int32_t rows);

// The keys that engines read, and a chat template with <|im_start|> and <|im_end|>.
void AddVocabulary(const Vocabulary& vocabulary, PreTokenizer pre, GgufWriter& file);

}  // namespace flashmoe
