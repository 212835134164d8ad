// Any bytes as a JSON Schema (first byte even) or a regular expression (odd): an error, or a
// grammar that can always be completed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "grammar/grammar.h"
#include "grammar/token_masks.h"
#include "text/byte_alphabet.h"
#include "text/utf8.h"

namespace {

using flashmoe::GrammarMatcher;

flashmoe::Tokenizer ByteTokenizer() {
  flashmoe::TokenizerSpec spec;
  for (int byte = 0; byte < 256; ++byte) {
    flashmoe::AppendUtf8(flashmoe::ByteToAlphabet(static_cast<uint8_t>(byte)),
                         spec.tokens.emplace_back());
  }
  for (const char* text : {"{\"", "\":", "},{", "[[", "]]", "null", "123"}) {
    spec.tokens.emplace_back(text);
  }
  auto tokenizer = flashmoe::Tokenizer::Create(std::move(spec));
  FM_CHECK(tokenizer.has_value());
  return std::move(*tokenizer);
}

// Follows the masks by the bytes of the input: what is allowed must be accepted, and there is
// always something to choose or an end.
void Walk(const std::shared_ptr<const flashmoe::Grammar>& grammar, std::string_view choices) {
  static const flashmoe::Tokenizer tokenizer = ByteTokenizer();
  static const auto trie = flashmoe::TokenTrie::Create(tokenizer, {});
  GrammarMatcher matcher(grammar, trie);
  std::vector<uint32_t> mask(trie->mask_words());
  constexpr size_t kStepsMax = 40;
  for (size_t step = 0; step < std::min(choices.size(), kStepsMax); ++step) {
    const bool any = matcher.FillMask(mask);
    FM_CHECK(any || matcher.CanEnd());
    FM_CHECK(any != matcher.MustEnd());
    if (!any) return;
    const int32_t vocab = trie->vocab_size();
    int32_t token = static_cast<uint8_t>(choices[step]) % vocab;
    while ((mask[static_cast<size_t>(token) / 32] >> (token % 32) & 1) == 0) {
      token = (token + 1) % vocab;
    }
    FM_CHECK(matcher.Accept(token));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  flashmoe::GrammarOptions options;
  options.limits = {.schema_bytes = 1 << 14,
                    .schema_depth = 16,
                    .states = 1 << 12,
                    .pattern_states = 1 << 10,
                    .stack_depth = 20};
  options.lenient = (data[0] & 2) != 0;
  flashmoe::Result<std::shared_ptr<const flashmoe::Grammar>> grammar = nullptr;
  if ((data[0] & 1) != 0) {
    grammar = flashmoe::CompileRegex(text, options);
  } else {
    const auto schema = nlohmann::ordered_json::parse(text, nullptr, false);
    if (schema.is_discarded()) return 0;
    if ((data[0] & 4) != 0) {
      grammar = flashmoe::CompileToolCalls({{.name = "f", .parameters = schema}},
                                           {.required = true, .grammar = options});
    } else {
      grammar = flashmoe::CompileJsonSchema(schema, options);
    }
  }
  if (!grammar.has_value()) {
    FM_CHECK(!grammar.error().what.empty());
    return 0;
  }
  Walk(*grammar, text);
  return 0;
}
