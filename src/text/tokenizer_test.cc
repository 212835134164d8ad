#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "text/byte_alphabet.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string ReadData(const std::string& name) {
  std::ifstream file(std::string(FLASHMOE_TEST_DATA "/tokenizer/") + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Tokenizer Make(TokenizerSpec spec) {
  Result<Tokenizer> tokenizer = Tokenizer::Create(std::move(spec));
  EXPECT_TRUE(tokenizer.has_value()) << tokenizer.error().ToString();
  return std::move(*tokenizer);
}

TokenizerSpec EmberSpec() {
  Result<TokenizerSpec> spec = ParseTokenizerJson(ReadData("ember-tokenizer.json"));
  EXPECT_TRUE(spec.has_value()) << spec.error().ToString();
  return std::move(*spec);
}

// The 256 bytes by their value, then "ab", "abc" and " a".
TokenizerSpec SmallSpec() {
  TokenizerSpec spec;
  for (int byte = 0; byte < 256; ++byte) {
    AppendUtf8(ByteToAlphabet(static_cast<uint8_t>(byte)), spec.tokens.emplace_back());
  }
  spec.tokens.insert(spec.tokens.end(), {"ab", "abc", "\u0120a"});
  spec.merges = {{"a", "b"}, {"ab", "c"}, {"\u0120", "a"}};
  spec.added = {{.id = 300, .text = "<s>", .special = true}, {.id = 301, .text = "<think>"}};
  return spec;
}

std::string CreateError(const TokenizerSpec& spec) {
  const Result<Tokenizer> tokenizer = Tokenizer::Create(spec);
  EXPECT_FALSE(tokenizer.has_value());
  if (tokenizer.has_value()) return "";
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kInvalidInput);
  return tokenizer.error().ToString();
}

// Ids from Hugging Face tokenizers 0.23.2, written by tests/differential/tokenizer.mjs.
TEST(Tokenizer, EqualsTheReference) {
  TokenizerSpec spec = EmberSpec();
  const Tokenizer qwen35 = Make(spec);
  spec.pre = PreTokenizer::kQwen2;
  const Tokenizer qwen2 = Make(std::move(spec));
  const auto cases = nlohmann::json::parse(ReadData("golden.json"), nullptr, false);
  ASSERT_GE(cases.size(), 300u);
  for (const auto& c : cases) {
    const Tokenizer& tokenizer = c["pre"] == "qwen2" ? qwen2 : qwen35;
    EXPECT_EQ(tokenizer.Encode(c["text"].get<std::string>()), c["ids"].get<std::vector<int32_t>>())
        << c["text"];
  }
}

TEST(Tokenizer, EncodesAndDecodes) {
  const Tokenizer tokenizer = Make(SmallSpec());
  EXPECT_THAT(tokenizer.Encode(""), IsEmpty());
  EXPECT_THAT(tokenizer.Encode("abc ab"), ElementsAre(257, ' ', 256));
  EXPECT_THAT(tokenizer.Encode("x a"), ElementsAre('x', 258));
  EXPECT_THAT(tokenizer.Encode(std::string_view("a\0b", 3)), ElementsAre('a', 0, 'b'));
  const std::vector<int32_t> ids = tokenizer.Encode("<s>\u4f60<think>abc");
  EXPECT_THAT(ids, ElementsAre(300, 0xE4, 0xBD, 0xA0, 301, 257));
  EXPECT_EQ(tokenizer.Decode(ids), "<s>\u4f60<think>abc");
  EXPECT_EQ(tokenizer.Decode(ids, /*skip_special=*/true), "\u4f60<think>abc");
}

TEST(Tokenizer, NormalisesToNfcUnlessToldNotTo) {
  TokenizerSpec spec = SmallSpec();
  EXPECT_THAT(Make(spec).Encode("e\u0301"), ElementsAre(0xC3, 0xA9));
  spec.nfc = false;
  EXPECT_THAT(Make(spec).Encode("e\u0301"), ElementsAre('e', 0xCC, 0x81));
}

TEST(Tokenizer, InvalidUtf8IsEncodedAsReplacementCharacters) {
  const Tokenizer tokenizer = Make(SmallSpec());
  EXPECT_THAT(tokenizer.Encode("\xFF"), ElementsAre(0xEF, 0xBF, 0xBD));
  EXPECT_THAT(tokenizer.Encode("a\xF0\x9F"), ElementsAre('a', 0xEF, 0xBF, 0xBD));
  const std::vector<int32_t> half = {0xE4, 0xBD};
  EXPECT_EQ(tokenizer.Decode(half), "\uFFFD");
  EXPECT_EQ(tokenizer.Bytes(0xE4), "\xE4");
}

TEST(Tokenizer, AddedTokensAreTextWhenNotParsed) {
  const Tokenizer tokenizer = Make(SmallSpec());
  EXPECT_THAT(tokenizer.Encode("<s>", /*parse_added=*/false), ElementsAre('<', 's', '>'));
  EXPECT_THAT(tokenizer.Encode("<s>"), ElementsAre(300));
}

TEST(Tokenizer, AddedTokensAreTextWhereToldSo) {
  TokenizerSpec spec = SmallSpec();
  spec.added.push_back({.id = 302, .text = "\u00e9!", .normalized = true});
  spec.added.push_back({.id = 303, .text = "s><s", .special = true});
  const Tokenizer tokenizer = Make(spec);
  const std::string text = "<s>a<s><think>";
  const auto encode = [&](std::string_view of, std::vector<size_t> plain) {
    return tokenizer.Encode(of, plain);
  };
  EXPECT_EQ(encode(text, {}), tokenizer.Encode(text));
  EXPECT_THAT(encode(text, {4}), ElementsAre(300, 'a', '<', 's', '>', 301));
  EXPECT_THAT(encode(text, {0, 4}), ElementsAre('<', 's', '>', 'a', '<', 's', '>', 301));
  EXPECT_THAT(encode("<s>abc", {1, 3}), ElementsAre(300, 257)) << "no token begins there";
  EXPECT_THAT(encode("\u00e9!", {}), ElementsAre(302));
  EXPECT_THAT(encode("\u00e9!", {0}), ElementsAre(0xC3, 0xA9, '!'));

  EXPECT_THAT(tokenizer.AddedPlaces("a<s><s> \u00e9! <think>"), ElementsAre(1, 2, 4, 8, 12));
  EXPECT_THAT(tokenizer.AddedPlaces("a<s><s> \u00e9! <think>", true), ElementsAre(1, 2, 4));
  EXPECT_THAT(tokenizer.AddedPlaces("abc <thin> t>"), IsEmpty());
  EXPECT_THAT(tokenizer.AddedPlaces("abc <thin", true), ElementsAre(4)) << "k> may follow";
  const std::string twice = "<s><s>";
  EXPECT_EQ(tokenizer.Encode(twice, tokenizer.AddedPlaces(twice)),
            tokenizer.Encode(twice, /*parse_added=*/false));
}

TEST(Tokenizer, RawAddedTokensMatchBeforeNormalisationAndNormalizedOnesAfter) {
  TokenizerSpec spec = SmallSpec();
  spec.added = {{.id = 400, .text = "e\u0301"},
                {.id = 401, .text = "o\u0301", .normalized = true},
                {.id = 402, .text = "u\u00e9"}};
  const Tokenizer tokenizer = Make(spec);
  EXPECT_THAT(tokenizer.Encode("e\u0301"), ElementsAre(400));
  EXPECT_THAT(tokenizer.Encode("\u00e9"), ElementsAre(0xC3, 0xA9));
  EXPECT_THAT(tokenizer.Encode("o\u0301\u00f3"), ElementsAre(401, 401));
  EXPECT_THAT(tokenizer.Encode("u\u00e9ue\u0301"), ElementsAre(402, 'u', 400));
  EXPECT_EQ(tokenizer.Bytes(401), "o\u0301");
}

TEST(Tokenizer, IgnoreMergesTakesWholePieces) {
  TokenizerSpec spec = SmallSpec();
  spec.merges = {{"a", "b"}};
  EXPECT_THAT(Make(spec).Encode("abc"), ElementsAre(256, 'c'));
  spec.ignore_merges = true;
  EXPECT_THAT(Make(spec).Encode("abc abcd"), ElementsAre(257, ' ', 256, 'c', 'd'));
}

TEST(Tokenizer, BytesWithoutATokenAreLeftOut) {
  TokenizerSpec spec = SmallSpec();
  spec.tokens['x'].clear();
  const Tokenizer tokenizer = Make(spec);
  EXPECT_THAT(tokenizer.Encode("xaxbx"), ElementsAre(256));
  EXPECT_THAT(tokenizer.Encode("xxx"), IsEmpty());
  EXPECT_THAT(Make(TokenizerSpec()).Encode("text"), IsEmpty());
}

TEST(Tokenizer, AnswersQuestionsAboutIds) {
  TokenizerSpec spec = SmallSpec();
  spec.tokens.resize(1000);    // padding rows
  spec.tokens[302] = "<|x|>";  // stands in both, as in GGUF
  spec.added.push_back({.id = 302, .text = "<|x|>"});
  spec.added.push_back({.id = 303, .text = ""});
  const Tokenizer tokenizer = Make(spec);
  EXPECT_EQ(tokenizer.vocab_size(), 303);
  EXPECT_TRUE(tokenizer.IsSpecial(300));
  EXPECT_TRUE(tokenizer.IsAdded(300));
  EXPECT_TRUE(tokenizer.IsAdded(302));
  EXPECT_FALSE(tokenizer.IsSpecial(301));
  EXPECT_FALSE(tokenizer.IsAdded('a'));
  EXPECT_EQ(tokenizer.Bytes(258), " a");
  for (const int32_t id : {-1, 259, 303, 999, 1000, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(tokenizer.Bytes(id), "");
    EXPECT_FALSE(tokenizer.IsAdded(id));
  }
  EXPECT_EQ(tokenizer.Find("<|x|>"), 302);
  EXPECT_EQ(tokenizer.Find(" a"), 258);
  EXPECT_EQ(tokenizer.Find("\n"), '\n');
  EXPECT_EQ(tokenizer.Find("nothing"), std::nullopt);
  EXPECT_EQ(tokenizer.Find(""), std::nullopt);
}

TEST(Tokenizer, RefusesBrokenVocabularies) {
  TokenizerSpec spec = SmallSpec();
  spec.tokens.push_back("ab");
  EXPECT_THAT(CreateError(spec), HasSubstr("vocabulary has 'ab' twice, as ids 256 and 259"));

  spec = SmallSpec();
  spec.merges.emplace_back("b", "q\x1b");
  EXPECT_THAT(CreateError(spec), HasSubstr("merge 3 ('b' + 'q\\x1b') names a token that the "
                                           "vocabulary lacks: 'q\\x1b'"));
  spec = SmallSpec();
  spec.merges.emplace_back("b", "c");
  EXPECT_THAT(CreateError(spec), HasSubstr("lacks: 'bc'"));

  spec = SmallSpec();
  spec.added.push_back({.id = 300, .text = "<t>"});
  EXPECT_THAT(CreateError(spec), HasSubstr("'<s>' and '<t>' have the same id 300"));

  spec = SmallSpec();
  spec.added.push_back({.id = 305, .text = "<s>"});
  EXPECT_THAT(CreateError(spec), HasSubstr("'<s>' has two ids, 300 and 305"));

  for (const int32_t id : {-1, Tokenizer::kIdMax + 1}) {
    spec = SmallSpec();
    spec.added.push_back({.id = id, .text = "<t>"});
    EXPECT_THAT(CreateError(spec), HasSubstr("outside 0..2097151"));
  }
  spec = SmallSpec();
  spec.added.push_back({.id = 305, .text = std::string(2000, 'x')});
  EXPECT_THAT(CreateError(spec), HasSubstr("has 2000 bytes; at most 1024"));

  spec = SmallSpec();
  spec.added.push_back({.id = 305, .text = "\x80"});
  EXPECT_THAT(CreateError(spec), HasSubstr("not UTF-8"));
}

TEST(Tokenizer, LargeTextsTakeLinearTime) {
  const Tokenizer tokenizer = Make(EmberSpec());
  for (const char* unit : {"a", "=", " ", "\u0301", "<|im_", "\xF0", "don't \n"}) {
    std::string text;
    while (text.size() < 1'000'000) text += unit;
    const std::string decoded = tokenizer.Decode(tokenizer.Encode(text));
    EXPECT_TRUE(decoded == SanitizeUtf8(text)) << unit;
  }
}

}  // namespace
}  // namespace flashmoe
