// For grammar.mjs: reads one JSON object a line, {"schema", "texts", "samples", "seed"}, and
// answers with one, {"accepts": [bool], "samples": [text]} or {"error"}. Samples are drawn at
// random from the masks of a real vocabulary.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>

#include "grammar/grammar.h"
#include "grammar/token_masks.h"

namespace flashmoe {
namespace {

constexpr int kTokensMax = 4000;
constexpr int kFreeTokens = 30;  // from then on the way to the end is preferred

class Sampler {
 public:
  Sampler(const Tokenizer& tokenizer, std::vector<int32_t> stop)
      : tokenizer_(tokenizer), trie_(TokenTrie::Create(tokenizer, stop)), stop_(stop[0]) {}

  bool Accepts(const std::shared_ptr<const Grammar>& grammar, std::string_view text) const {
    GrammarMatcher matcher(grammar, trie_);
    return matcher.AcceptBytes(text) && matcher.CanEnd();
  }

  std::string Sample(const std::shared_ptr<const Grammar>& grammar, uint32_t seed) const {
    std::mt19937 random(seed);
    GrammarMatcher matcher(grammar, trie_);
    std::vector<uint32_t> mask(trie_->mask_words());
    std::string text;
    for (int step = 0; step < kTokensMax && matcher.FillMask(mask); ++step) {
      const int32_t token = Choose(mask, step > kFreeTokens, random);
      if (!matcher.Accept(token)) return "refused what the mask allows: " + text;
      if (token == stop_) break;
      text += tokenizer_.Bytes(token);
    }
    return matcher.MustEnd() || matcher.CanEnd() ? text : "no end: " + text;
  }

 private:
  int32_t Choose(const std::vector<uint32_t>& mask, bool to_the_end, std::mt19937& random) const {
    std::vector<int32_t> allowed;
    for (int32_t token = 0; token < trie_->vocab_size(); ++token) {
      if ((mask[static_cast<size_t>(token) / 32] >> (token % 32) & 1) != 0)
        allowed.push_back(token);
    }
    if (to_the_end) {
      const auto is_allowed = [&](int32_t t) {
        return std::find(allowed.begin(), allowed.end(), t) != allowed.end();
      };
      if (is_allowed(stop_)) return stop_;
      for (const char* end : {"\"", "}", "]", "null"}) {
        const auto token = tokenizer_.Find(end);
        if (token && is_allowed(*token)) return *token;
      }
    }
    return allowed[random() % allowed.size()];
  }

  const Tokenizer& tokenizer_;
  std::shared_ptr<const TokenTrie> trie_;
  int32_t stop_;
};

nlohmann::ordered_json Answer(const Sampler& sampler, const nlohmann::ordered_json& request) {
  const auto grammar = CompileJsonSchema(request.at("schema"));
  if (!grammar.has_value()) return {{"error", grammar.error().ToString()}};
  nlohmann::ordered_json answer = {{"accepts", nlohmann::ordered_json::array()},
                                   {"samples", nlohmann::ordered_json::array()}};
  for (const auto& text : request.at("texts")) {
    answer["accepts"].push_back(sampler.Accepts(*grammar, text.get_ref<const std::string&>()));
  }
  for (uint32_t i = 0; i < request.at("samples").get<uint32_t>(); ++i) {
    answer["samples"].push_back(sampler.Sample(*grammar, request.at("seed").get<uint32_t>() + i));
  }
  return answer;
}

int Main(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string json{std::istreambuf_iterator<char>(file), {}};
  Result<TokenizerSpec> spec = ParseTokenizerJson(json);
  if (!spec.has_value()) {
    std::cerr << spec.error().ToString() << "\n";
    return 1;
  }
  const Result<Tokenizer> tokenizer = Tokenizer::Create(std::move(*spec));
  if (!tokenizer.has_value()) {
    std::cerr << tokenizer.error().ToString() << "\n";
    return 1;
  }
  const auto stop = tokenizer->Find("<|im_end|>");
  if (!stop) {
    std::cerr << "the vocabulary has no <|im_end|>\n";
    return 1;
  }
  const Sampler sampler(*tokenizer, {*stop});
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << Answer(sampler, nlohmann::ordered_json::parse(line)) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace flashmoe

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: grammar_lines TOKENIZER.json\n";
    return 2;
  }
  return flashmoe::Main(argv[1]);
}
