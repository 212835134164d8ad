#include "synth/vocabulary.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "text/byte_alphabet.h"
#include "text/pretokenizer.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

// tokenizer.ggml.token_type
constexpr int32_t kNormal = 1, kControl = 3, kUnused = 5;
constexpr const char* kSpecial[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};

constexpr const char* kChatTemplate =
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

std::string ByteToken(uint8_t byte) {
  std::string token;
  AppendUtf8(ByteToAlphabet(byte), token);
  return token;
}

// A piece of the text as the ids of its tokens so far, and how often it occurs.
struct Word {
  std::vector<int32_t> ids;
  int64_t count = 0;
};

// Ids are those of the single bytes.
std::vector<Word> CutIntoWords(std::string_view text, PreTokenizer pre) {
  std::map<std::string_view, int64_t> counts;
  while (!text.empty()) {
    const size_t bytes = NextPiece(text, pre);
    ++counts[text.substr(0, bytes)];
    text.remove_prefix(bytes);
  }
  std::vector<Word> words;
  for (const auto& [piece, count] : counts) {
    Word word{.ids = {}, .count = count};
    for (const char c : piece) word.ids.push_back(static_cast<uint8_t>(c));
    words.push_back(std::move(word));
  }
  return words;
}

struct Pair {
  int32_t left = 0, right = 0;
  int64_t count = 0;
};

// The most frequent pair of neighbours, the first by ids among equals; count 0 if there is none.
Pair BestPair(const std::vector<Word>& words) {
  std::unordered_map<uint64_t, int64_t> counts;
  for (const Word& word : words) {
    for (size_t i = 1; i < word.ids.size(); ++i) {
      const auto left = static_cast<uint64_t>(word.ids[i - 1]);
      counts[left << 32 | static_cast<uint64_t>(word.ids[i])] += word.count;
    }
  }
  std::pair<uint64_t, int64_t> best;
  for (const auto& [key, count] : counts) {
    if (count > best.second || (count == best.second && key < best.first)) best = {key, count};
  }
  return {static_cast<int32_t>(best.first >> 32), static_cast<int32_t>(best.first), best.second};
}

void Replace(const Pair& pair, int32_t id, std::vector<Word>& words) {
  for (Word& word : words) {
    for (size_t i = 1; i < word.ids.size(); ++i) {
      if (word.ids[i - 1] != pair.left || word.ids[i] != pair.right) continue;
      word.ids[i - 1] = id;
      word.ids.erase(word.ids.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

class Builder {
 public:
  explicit Builder(int32_t rows) : rows_(rows) {}

  int32_t AddToken(std::string token, int32_t type) {
    const auto id = static_cast<int32_t>(out_.tokens.size());
    known_.emplace(token, id);
    out_.tokens.push_back(std::move(token));
    out_.types.push_back(type);
    return id;
  }

  // The id of the merged token; nullopt: there is no room.
  std::optional<int32_t> AddMerge(int32_t left, int32_t right) {
    const std::string& first = out_.tokens[static_cast<size_t>(left)];
    const std::string& second = out_.tokens[static_cast<size_t>(right)];
    const auto known = known_.find(first + second);
    if (known != known_.end()) return known->second;
    if (static_cast<int32_t>(out_.tokens.size()) == rows_) return std::nullopt;
    out_.merges.push_back(fmt::format("{} {}", first, second));
    return AddToken(first + second, kNormal);
  }

  void Train(std::string_view text, PreTokenizer pre) {
    std::vector<Word> words = CutIntoWords(text, pre);
    for (Pair pair = BestPair(words); pair.count >= 2; pair = BestPair(words)) {
      const std::optional<int32_t> id = AddMerge(pair.left, pair.right);
      if (!id) return;
      Replace(pair, *id, words);
    }
  }

  // What other texts fall back to: a letter after a space, and two letters.
  void AddLetterPairs() {
    for (int32_t right = 'a'; right <= 'z'; ++right) AddMerge(' ', right);
    for (int32_t left = 'a'; left <= 'z'; ++left) {
      for (int32_t right = 'a'; right <= 'z'; ++right) AddMerge(left, right);
    }
  }

  Vocabulary Finish() {
    while (static_cast<int32_t>(out_.tokens.size()) < rows_) {
      AddToken(fmt::format("<|unused_{}|>", out_.tokens.size()), kUnused);
    }
    return std::move(out_);
  }

 private:
  int32_t rows_;
  Vocabulary out_;
  std::unordered_map<std::string, int32_t> known_;
};

}  // namespace

Result<Vocabulary> MakeVocabulary(std::string_view text, PreTokenizer pre, int32_t rows) {
  constexpr auto kLeast = static_cast<int32_t>(256 + std::size(kSpecial));
  if (rows < kLeast) {
    return InvalidInput(fmt::format("a vocabulary of {} rows is too small", rows), {},
                        fmt::format("give {} or more", kLeast));
  }
  Builder builder(rows);
  for (int byte = 0; byte < 256; ++byte) {
    builder.AddToken(ByteToken(static_cast<uint8_t>(byte)), kNormal);
  }
  // Ids of bytes and their values are the same: see CutIntoWords.
  for (const char* special : kSpecial) builder.AddToken(special, kControl);
  builder.Train(text, pre);
  builder.AddLetterPairs();
  Vocabulary vocabulary = builder.Finish();
  vocabulary.end_of_text = 256;
  vocabulary.end_of_turn = 258;
  return vocabulary;
}

void AddVocabulary(const Vocabulary& vocabulary, PreTokenizer pre, GgufWriter& file) {
  file.Add("tokenizer.ggml.model", "gpt2");
  file.Add("tokenizer.ggml.pre", pre == PreTokenizer::kQwen35 ? "qwen35" : "qwen2");
  file.Add("tokenizer.ggml.tokens", vocabulary.tokens);
  file.Add("tokenizer.ggml.token_type", vocabulary.types);
  file.Add("tokenizer.ggml.merges", vocabulary.merges);
  file.Add("tokenizer.ggml.bos_token_id", static_cast<uint32_t>(vocabulary.end_of_text));
  file.Add("tokenizer.ggml.eos_token_id", static_cast<uint32_t>(vocabulary.end_of_turn));
  file.Add("tokenizer.ggml.padding_token_id", static_cast<uint32_t>(vocabulary.end_of_text));
  file.Add("tokenizer.ggml.add_bos_token", false);
  file.Add("tokenizer.chat_template", kChatTemplate);
}

}  // namespace flashmoe
