// What masks cost on a vocabulary of real size. The vocabulary is that of a GGUF file, filled up to
// the size wanted with pairs of its own tokens.
//
//   grammar_bench --vocabulary tests/data/tokenizer/ggml-vocab-qwen35.gguf [--tokens 248320]
//
// For each grammar: the time to compile it; then, for a sampled answer, the time a token takes
// (mask, logits, acceptance), the first time and once the states are known.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/text_model.h"
#include "format/model_file.h"
#include "grammar/grammar.h"
#include "grammar/token_masks.h"
#include "text/byte_alphabet.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

struct Case {
  const char* name;
  const char* schema;  // or an expression, if it begins with '/'
};

constexpr Case kCases[] = {
    {"any JSON", "true"},
    {"object of strings", R"({"type":"object","properties":{"title":{"type":"string"},
       "body":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}}},
       "required":["title","body","tags"],"additionalProperties":false})"},
    {"person records", R"({"type":"array","maxItems":20,"items":{"type":"object","properties":{
       "name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},
       "email":{"type":"string","format":"email"},"born":{"type":"string","format":"date"},
       "active":{"type":"boolean"}},"required":["name","age","active"],
       "additionalProperties":false}})"},
    {"short strings", R"({"type":"array","items":{"type":"string","minLength":3,"maxLength":80}})"},
    {"tree", R"({"$defs":{"n":{"type":"object","properties":{"name":{"type":"string"},"kids":
       {"type":"array","items":{"$ref":"#/$defs/n"}}},"required":["name","kids"],
       "additionalProperties":false}},"$ref":"#/$defs/n"})"},
    {"words", "/([A-Z][a-z]+[ ,.]){20,60}"},
    {"letters of any script", "/\\p{L}{1,60}"},
};

Result<Tokenizer> Enlarged(const std::string& path, size_t tokens) {
  FM_ASSIGN_OR_RETURN(const auto file, ModelFile::Open(path));
  FM_ASSIGN_OR_RETURN(const Tokenizer base, LoadTokenizer(*file));
  TokenizerSpec spec;
  std::vector<std::string> texts;
  for (int32_t id = 0; id < base.vocab_size(); ++id) {
    if (!base.IsSpecial(id) && !base.Bytes(id).empty()) texts.emplace_back(base.Bytes(id));
  }
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  std::mt19937 random(1);
  const size_t real = texts.size();
  while (texts.size() < tokens) {
    while (texts.size() < tokens) texts.push_back(texts[random() % real] + texts[random() % real]);
    std::sort(texts.begin(), texts.end());
    texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
    std::shuffle(texts.begin(), texts.end(), random);
  }
  for (const std::string& text : texts) {
    std::string& token = spec.tokens.emplace_back();
    for (const char c : text) AppendUtf8(ByteToAlphabet(static_cast<uint8_t>(c)), token);
  }
  spec.added.push_back(
      {.id = static_cast<int32_t>(texts.size()), .text = "<|stop|>", .special = true});
  return Tokenizer::Create(std::move(spec));
}

struct Times {
  std::vector<double> steps_us;
  double Mean() const {
    double sum = 0;
    for (const double t : steps_us) sum += t;
    return steps_us.empty() ? 0 : sum / static_cast<double>(steps_us.size());
  }
  double At(double part) {
    if (steps_us.empty()) return 0;
    std::sort(steps_us.begin(), steps_us.end());
    return steps_us[static_cast<size_t>(part * static_cast<double>(steps_us.size() - 1))];
  }
};

// One answer of random tokens; the same seed gives the same answer.
Times SampleAnswer(const std::shared_ptr<const Grammar>& grammar,
                   const std::shared_ptr<const TokenTrie>& trie, uint32_t seed, int tokens_max) {
  std::mt19937 random(seed);
  std::vector<float> logits(static_cast<size_t>(trie->vocab_size()));
  std::vector<uint32_t> mask(trie->mask_words());
  GrammarMatcher matcher(grammar, trie);
  Times times;
  for (int step = 0; step < tokens_max && !matcher.MustEnd(); ++step) {
    std::fill(logits.begin(), logits.end(), 0.0f);
    const double start = NowSeconds();
    if (!matcher.FillMask(mask)) break;
    MaskLogits(mask, logits);
    double spent = NowSeconds() - start;
    auto token = static_cast<int32_t>(random() % logits.size());
    while (logits[static_cast<size_t>(token)] != 0) token = (token + 1) % trie->vocab_size();
    const double accepting = NowSeconds();
    const bool accepted = matcher.Accept(token);
    spent += NowSeconds() - accepting;
    if (!accepted) break;
    times.steps_us.push_back(spent * 1e6);
  }
  return times;
}

Result<std::shared_ptr<const Grammar>> Compile(const char* schema) {
  if (schema[0] == '/') return CompileRegex(schema + 1);
  return CompileJsonSchema(nlohmann::ordered_json::parse(schema));
}

Status Run(const std::string& path, size_t tokens, int answers) {
  FM_ASSIGN_OR_RETURN(const Tokenizer tokenizer, Enlarged(path, tokens));
  double start = NowSeconds();
  const auto trie = TokenTrie::Create(tokenizer, std::vector<int32_t>{tokenizer.vocab_size() - 1});
  fmt::print("{} tokens; trie made in {:.0f} ms, {:.1f} MB\n", trie->vocab_size(),
             (NowSeconds() - start) * 1e3, static_cast<double>(trie->memory_bytes()) / 1e6);
  fmt::print("{:<24}{:>11}{:>8}{:>12}{:>9}{:>9}{:>9}{:>12}{:>9}{:>9}{:>9}\n", "us", "compile ms",
             "tokens", "first: mean", "median", "p99", "max", "then: mean", "median", "p99", "max");
  for (const Case& c : kCases) {
    start = NowSeconds();
    FM_ASSIGN_OR_RETURN(const auto grammar, Compile(c.schema));
    const double compile_ms = (NowSeconds() - start) * 1e3;
    Times first, then;
    for (Times* times : {&first, &then}) {
      for (int answer = 0; answer < answers; ++answer) {
        const Times one = SampleAnswer(grammar, trie, static_cast<uint32_t>(answer), 200);
        times->steps_us.insert(times->steps_us.end(), one.steps_us.begin(), one.steps_us.end());
      }
    }
    fmt::print("{:<24}{:>11.2f}{:>8}", c.name, compile_ms, first.steps_us.size());
    for (Times* times : {&first, &then}) {
      fmt::print("{:>12.0f}{:>9.0f}{:>9.0f}{:>9.0f}", times->Mean(), times->At(0.5),
                 times->At(0.99), times->At(1));
    }
    fmt::print("\n");
  }
  return {};
}

}  // namespace
}  // namespace flashmoe

int main(int argc, char** argv) {
  CLI::App app("What token masks cost");
  std::string vocabulary;
  size_t tokens = 248'320;
  int answers = 10;
  app.add_option("--vocabulary", vocabulary, "A GGUF file with a vocabulary")->required();
  app.add_option("--tokens", tokens, "Size of the vocabulary");
  app.add_option("--answers", answers, "Sampled answers of each grammar");
  CLI11_PARSE(app, argc, argv);
  const flashmoe::Status status = flashmoe::Run(vocabulary, tokens, answers);
  if (!status.has_value()) fmt::print(stderr, "{}\n", status.error().ToString());
  return status.has_value() ? 0 : 1;
}
