// The vocabulary of a Qwen3.5 model, read from its GGUF file, against the ids that the vocabulary's
// publishers give for their test texts.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "format/model_file.h"
#include "text/nfc.h"
#include "text/tokenizer.h"

namespace flashmoe {
namespace {

constexpr char kVocabulary[] = FLASHMOE_TEST_DATA "/tokenizer/ggml-vocab-qwen35.gguf";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TokenizerSpec SpecOf(const ModelFile& model) {
  enum Type { kControl = 3, kUserDefined = 4, kUnused = 5 };
  const nlohmann::json& metadata = model.metadata();
  const nlohmann::json& types = metadata.at("tokenizer.ggml.token_type");
  TokenizerSpec spec;
  spec.tokens = metadata.at("tokenizer.ggml.tokens").get<std::vector<std::string>>();
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    const int type = types.at(id).get<int>();
    if (type == kUnused) spec.tokens[id].clear();
    if (type != kControl && type != kUserDefined) continue;
    spec.added.push_back(
        {.id = static_cast<int32_t>(id), .text = spec.tokens[id], .special = type == kControl});
  }
  for (const auto& merge : metadata.at("tokenizer.ggml.merges")) {
    const std::string& line = merge.get_ref<const std::string&>();
    const size_t space = line.find(' ');
    spec.merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  EXPECT_EQ(metadata.at("tokenizer.ggml.pre"), "qwen35");
  spec.pre = PreTokenizer::kQwen35;
  return spec;
}

std::vector<std::string> Texts() {
  constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
  // One stands after each text, the last one included.
  const std::string all = ReadFile(std::string(kVocabulary) + ".inp");
  std::vector<std::string> texts;
  size_t at = 0;
  for (size_t end; (end = all.find(kSeparator, at)) != all.npos; at = end + kSeparator.size()) {
    texts.push_back(all.substr(at, end - at));
  }
  return texts;
}

std::vector<std::vector<int32_t>> ExpectedIds() {
  std::istringstream lines(ReadFile(std::string(kVocabulary) + ".out"));
  std::vector<std::vector<int32_t>> ids;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    ids.emplace_back(std::istream_iterator<int32_t>(numbers), std::istream_iterator<int32_t>());
  }
  return ids;
}

Result<Tokenizer> Load(bool nfc) {
  FM_ASSIGN_OR_RETURN(const auto model, ModelFile::Open(kVocabulary));
  TokenizerSpec spec = SpecOf(*model);
  spec.nfc = nfc;
  return Tokenizer::Create(std::move(spec));
}

// The ids were made by llama.cpp, which normalises nothing: three texts hold decomposed characters.
TEST(TokenizerVocabulary, IdsEqualThePublishedOnes) {
  const auto tokenizer = Load(/*nfc=*/false);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().ToString();
  const std::vector<std::string> texts = Texts();
  const std::vector<std::vector<int32_t>> expected = ExpectedIds();
  ASSERT_GE(texts.size(), 40u);
  ASSERT_EQ(texts.size(), expected.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(tokenizer->Encode(texts[i]), expected[i]) << texts[i];
    EXPECT_EQ(tokenizer->Decode(expected[i]), texts[i]);
  }
}

TEST(TokenizerVocabulary, NormalisingChangesDecomposedTextsOnly) {
  const auto plain = Load(/*nfc=*/false), normalising = Load(/*nfc=*/true);
  ASSERT_TRUE(plain.has_value() && normalising.has_value());
  int changed = 0;
  for (const std::string& text : Texts()) {
    const std::string normal = ToNfc(text);
    EXPECT_EQ(normalising->Encode(text), plain->Encode(normal)) << text;
    changed += normal != text;
  }
  EXPECT_EQ(changed, 3);
}

}  // namespace
}  // namespace flashmoe
