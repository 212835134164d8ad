// The first byte chooses: the rest is text to encode (bit 0: NFC, bit 1: pattern, bit 2: parse
// added tokens), or a tokenizer.json (bit 7).
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "text/byte_alphabet.h"
#include "text/detokenizer.h"
#include "text/nfc.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

TokenizerSpec SmallSpec(bool nfc, PreTokenizer pre) {
  TokenizerSpec spec;
  for (int byte = 0; byte < 256; ++byte) {
    AppendUtf8(ByteToAlphabet(static_cast<uint8_t>(byte)), spec.tokens.emplace_back());
  }
  for (const auto& [left, right] : {std::pair{"a", "a"},
                                    {"aa", "aa"},
                                    {"a", "b"},
                                    {"\u0120", "a"},
                                    {"\u00CC", "\u0122"},
                                    {"\u0120", "\u0120"}}) {
    spec.merges.emplace_back(left, right);
    spec.tokens.push_back(spec.merges.back().first + spec.merges.back().second);
  }
  spec.added = {{.id = 300, .text = "<s>", .special = true}, {.id = 301, .text = "<st>"}};
  spec.nfc = nfc;
  spec.pre = pre;
  return spec;
}

// Nothing of the text may get lost: bytes all have tokens here.
void CheckRoundTrip(const Tokenizer& tokenizer, std::string_view text, bool nfc, bool parse_added) {
  const std::vector<int32_t> ids = tokenizer.Encode(text, parse_added);
  std::string expected = SanitizeUtf8(text);
  // Added tokens stop normalisation at their borders.
  if (nfc) expected = ToNfc(expected);
  const std::string decoded = tokenizer.Decode(ids);
  FM_CHECK(nfc ? ToNfc(decoded) == expected : decoded == expected);
  if (nfc && !parse_added) FM_CHECK(decoded == expected);
  Utf8Stream stream;
  std::string streamed;
  for (const int32_t id : ids) streamed += stream.Push(tokenizer.Bytes(id));
  streamed += stream.Finish();
  FM_CHECK(streamed == decoded);
}

void EncodeAnything(uint8_t choice, std::string_view text) {
  const bool nfc = (choice & 1) != 0;
  const bool qwen35 = (choice & 2) != 0;
  static const std::vector<Tokenizer> tokenizers = [] {
    std::vector<Tokenizer> made;
    for (const PreTokenizer pre : {PreTokenizer::kQwen2, PreTokenizer::kQwen35}) {
      for (const bool normalise : {false, true}) {
        Result<Tokenizer> tokenizer = Tokenizer::Create(SmallSpec(normalise, pre));
        FM_CHECK(tokenizer.has_value());
        made.push_back(std::move(*tokenizer));
      }
    }
    return made;
  }();
  const Tokenizer& tokenizer = tokenizers[(qwen35 ? 2u : 0u) + (nfc ? 1u : 0u)];
  CheckRoundTrip(tokenizer, text, nfc, (choice & 4) != 0);
}

// An error, or a tokenizer that works or says why it cannot.
void ReadAnything(std::string_view json) {
  Result<TokenizerSpec> spec = ParseTokenizerJson(json);
  if (!spec.has_value()) {
    FM_CHECK(!spec.error().what.empty());
    return;
  }
  const Result<Tokenizer> tokenizer = Tokenizer::Create(std::move(*spec));
  if (!tokenizer.has_value()) {
    FM_CHECK(!tokenizer.error().what.empty());
    return;
  }
  for (const int32_t id : tokenizer->Encode(json.substr(0, 1000))) {
    FM_CHECK(id >= 0 && id < tokenizer->vocab_size() && !tokenizer->Bytes(id).empty());
  }
}

}  // namespace
}  // namespace flashmoe

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 0x80) != 0) {
    flashmoe::ReadAnything(rest);
  } else {
    flashmoe::EncodeAnything(data[0], rest);
  }
  return 0;
}
