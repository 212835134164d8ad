#include "synth/vocabulary.h"

#include <gtest/gtest.h>

#include <set>

#include "synth/sample_text.h"

namespace flashmoe {
namespace {

Tokenizer MakeTokenizer(const Vocabulary& vocabulary) {
  TokenizerSpec spec;
  spec.tokens = vocabulary.tokens;
  for (const std::string& merge : vocabulary.merges) {
    const size_t space = merge.find(' ');
    spec.merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  auto tokenizer = Tokenizer::Create(std::move(spec));
  EXPECT_TRUE(tokenizer.has_value());
  return std::move(*tokenizer);
}

TEST(SampleTextTest, IsLongVariedAndBeginsWhereAsked) {
  const std::string text = SampleText(20'000);
  EXPECT_GE(text.size(), 20'000u);
  EXPECT_TRUE(text.starts_with(SampleSections()[0]));
  EXPECT_TRUE(SampleText(1, 3).starts_with(SampleSections()[3]));
  // Every section comes once before any comes again.
  for (const std::string_view section : SampleSections()) {
    EXPECT_LT(text.find(section), 8'200u) << section;
  }
}

TEST(VocabularyTest, HasTheRowsAskedForAndEncodesAnyText) {
  const auto vocabulary = MakeVocabulary(SampleText(1 << 14), PreTokenizer::kQwen35, 8192);
  ASSERT_TRUE(vocabulary.has_value());
  EXPECT_EQ(vocabulary->tokens.size(), 8192u);
  EXPECT_EQ(vocabulary->types.size(), 8192u);
  EXPECT_EQ(std::set(vocabulary->tokens.begin(), vocabulary->tokens.end()).size(), 8192u);
  const Tokenizer tokenizer = MakeTokenizer(*vocabulary);
  const std::string text = SampleText(1000);
  const std::vector<int32_t> ids = tokenizer.Encode(text);
  EXPECT_EQ(tokenizer.Decode(ids), text);
  EXPECT_LT(ids.size() * 3, text.size());  // words, not letters
  const std::string other = "Z\xc3\xbcrich quickly 42 \xe2\x82\xac";
  EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(other)), other);
}

TEST(VocabularyTest, SmallOnesHaveFewerMerges) {
  const auto vocabulary = MakeVocabulary(SampleText(1 << 14), PreTokenizer::kQwen2, 300);
  ASSERT_TRUE(vocabulary.has_value());
  EXPECT_EQ(vocabulary->tokens.size(), 300u);
  EXPECT_EQ(vocabulary->merges.size(), 300u - 259u);
  EXPECT_FALSE(MakeVocabulary("", PreTokenizer::kQwen2, 258).has_value());
}

}  // namespace
}  // namespace flashmoe
