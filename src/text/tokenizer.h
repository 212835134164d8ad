// Byte-level BPE, id for id as Hugging Face tokenizers does it: added tokens are split out first,
// text is NFC-normalised, cut by the pre-tokenizer's pattern, mapped to bytes and merged by rank.
// Time is linear in the text (n log n within a piece).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace flashmoe {

enum class PreTokenizer {
  kQwen2,   // Qwen2, Qwen3, Qwen3-Next
  kQwen35,  // Qwen3.5 and later: marks (\p{M}) count as letters
};

// What a vocabulary is made of, whichever file it came from.
struct TokenizerSpec {
  struct Added {
    int32_t id = 0;
    std::string text;
    bool special = false;  // left out of decoded text by default
    bool normalized = false, lstrip = false, rstrip = false, single_word = false;
  };
  // By id, in the GPT-2 byte alphabet (byte_alphabet.h). Empty: the id has no token here. The texts
  // of `added` may stand here as well.
  std::vector<std::string> tokens;
  std::vector<std::pair<std::string, std::string>> merges;  // best first
  std::vector<Added> added;                                 // empty texts are ignored
  PreTokenizer pre = PreTokenizer::kQwen35;
  bool nfc = true;
  bool ignore_merges = false;  // a piece that is a token as a whole is that token
};

// tokenizer.json of Hugging Face. Fails on anything but byte-level BPE with a known pattern. As in
// the reference with add_special_tokens=False, a post-processor adds nothing.
Result<TokenizerSpec> ParseTokenizerJson(std::string_view json);

class Tokenizer {
 public:
  static constexpr int32_t kIdMax = (1 << 21) - 1;

  // Every token a merge names must exist; texts and ids must be unique, ids at most kIdMax.
  static Result<Tokenizer> Create(TokenizerSpec spec);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // `parse_added`: recognise <|im_start|> and the like; without, they are ordinary text. Invalid
  // UTF-8 is encoded as U+FFFD replacement characters (utf8.h). Bytes that the vocabulary has no
  // token for are left out.
  std::vector<int32_t> Encode(std::string_view text, bool parse_added = true) const;
  // The same with added tokens, but for those that begin at the offsets `plain` (ascending): there
  // is ordinary text. REQUIRES: valid UTF-8 if there are any.
  std::vector<int32_t> Encode(std::string_view text, std::span<const size_t> plain) const;
  // Where in a text that of an added token begins, ascending, also within another's, and where it
  // would if more followed; of those alone that are special, if asked for.
  std::vector<size_t> AddedPlaces(std::string_view text, bool special_only = false) const;

  // The bytes of a token (an added token: its text); empty for ids without a token.
  std::string_view Bytes(int32_t id) const;
  // Always valid UTF-8: what is not becomes U+FFFD. Piece by piece, use Bytes and Utf8Stream.
  std::string Decode(std::span<const int32_t> ids, bool skip_special = false) const;

  int32_t vocab_size() const;  // highest id with a token, plus 1
  bool IsAdded(int32_t id) const;
  bool IsSpecial(int32_t id) const;
  std::optional<int32_t> Find(std::string_view text) const;  // by decoded bytes; added ones first

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flashmoe
