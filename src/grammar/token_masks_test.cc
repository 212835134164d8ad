// Masks against the definition: a token is allowed if, and only if, its bytes can be read.
#include "grammar/token_masks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "grammar/testing.h"

namespace flashmoe::grammar {
namespace {

const std::vector<std::string>& Words() {
  static const auto& words = *new std::vector<std::string>{"\"a\"",
                                                           "\"a\":",
                                                           "\"b",
                                                           "ab",
                                                           "abc",
                                                           "\",",
                                                           "\"}",
                                                           "\"}]",
                                                           "{\"",
                                                           "{}",
                                                           "[]",
                                                           "[[",
                                                           "]]",
                                                           "], [",
                                                           "[1",
                                                           "1,",
                                                           "12",
                                                           ", ",
                                                           ": ",
                                                           ":{",
                                                           "null",
                                                           "true,",
                                                           "tru",
                                                           "}}",
                                                           "}}}",
                                                           "]}",
                                                           ",\"",
                                                           "\n  ",
                                                           "\n",
                                                           "  ",
                                                           " \"",
                                                           "\\\"",
                                                           "\\u",
                                                           "d8",
                                                           "\xc3\xa9",
                                                           "\xe2\x82",

                                                           "\xf0\x9f",
                                                           "\x98\x80",
                                                           "e5",
                                                           "-1",
                                                           ".5",
                                                           "0.",
                                                           "<tool_call>",
                                                           "</tool_call>",
                                                           "\n</",
                                                           "parameter",
                                                           "<function=",
                                                           "f>\n",
                                                           "{\"a\":[1,2",
                                                           "3]}",
                                                           "\"kids\": [",
                                                           "value",
                                                           "aaaaaaaaaaaaaaaa",
                                                           "aaaaaaaaaaaaaaaaaaaaaaaa",
                                                           "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", \"",
                                                           "bbbbbbbbbbbbbbbbbb\": [1, 2",
                                                           "2026-",
                                                           "-01T",
                                                           "yes",
                                                           "no",
                                                           "\"x\": \"y\", \"z\": "};
  return words;
}

struct Vocabulary {
  Tokenizer tokenizer = MakeTokenizer(Words());
  std::shared_ptr<const TokenTrie> trie = MakeTrie(tokenizer);
};

Vocabulary& TestVocabulary() {
  static auto& vocabulary = *new Vocabulary;
  return vocabulary;
}

bool Has(const std::vector<uint32_t>& mask, int32_t token) {
  return (mask[static_cast<size_t>(token) / 32] >> (token % 32) & 1) != 0;
}

// Whether the bytes can be read after `text`, byte by byte in a matcher of their own.
bool CanRead(const std::shared_ptr<const Grammar>& grammar, const std::string& text,
             std::string_view bytes) {
  GrammarMatcher matcher = MakeMatcher(grammar);
  return matcher.AcceptBytes(text) && matcher.AcceptBytes(bytes);
}

// Walks at random, and checks every mask on the way.
void CheckMasks(const std::shared_ptr<const Grammar>& grammar, uint32_t seed, int steps) {
  Vocabulary& v = TestVocabulary();
  std::mt19937 random(seed);
  GrammarMatcher matcher(grammar, v.trie);
  std::vector<uint32_t> mask(v.trie->mask_words());
  const int32_t stop = v.tokenizer.vocab_size() - 1;
  std::string text;
  for (int step = 0; step < steps; ++step) {
    ASSERT_TRUE(matcher.FillMask(mask)) << text;
    std::vector<int32_t> allowed;
    for (int32_t token = 0; token < stop; ++token) {
      const std::string_view bytes = v.tokenizer.Bytes(token);
      ASSERT_EQ(Has(mask, token), CanRead(grammar, text, bytes))
          << QuoteText(bytes) << " after " << text;
      if (Has(mask, token)) allowed.push_back(token);
    }
    ASSERT_EQ(Has(mask, stop), matcher.CanEnd()) << text;
    ASSERT_EQ(matcher.MustEnd(), allowed.empty()) << text;
    if (allowed.empty()) break;
    // Long tokens are more interesting than bytes.
    int32_t token = allowed[random() % allowed.size()];
    for (int tries = 0; tries < 3 && token < 256; ++tries)
      token = allowed[random() % allowed.size()];
    text += v.tokenizer.Bytes(token);
    ASSERT_TRUE(matcher.Accept(token)) << text;
  }
}

const char* const kSchemas[] = {
    "true",
    R"({"type":"object"})",
    R"({"type":"object","properties":{"a":{"type":"array","items":{"type":"integer"}},
        "ab":{"type":"string"},"b":{"type":"boolean"}},"required":["ab"]})",
    R"({"type":"object","properties":{"value":{"type":"integer"},"kids":{"type":"array",
        "items":{"$ref":"#"}}},"required":["kids"]})",
    R"({"type":"array","items":{"type":"string","minLength":1,"maxLength":4}})",
    R"({"type":"array","items":{"type":"string","minLength":20,"maxLength":70}})",
    R"({"type":"array","items":{"enum":["a","ab","abc",12,null,{"a":[1,2]}]},"maxItems":5})",
    R"({"anyOf":[{"type":"array","items":{"$ref":"#"}},{"type":"object","properties":{"a":
        {"$ref":"#"}},"required":["a"]},{"type":"null"}]})",
    R"({"type":"object","properties":{"a":{"type":"string"}},
        "additionalProperties":{"type":"number","minimum":-1,"maximum":12.5}})",
    R"({"type":"array","items":{"type":"string","format":"date-time"}})",
    // Many ways at once.
    R"({"$defs":{"x":{"anyOf":[{"type":"array","items":{"$ref":"#/$defs/y"}},{"type":"null"}]},
        "y":{"anyOf":[{"type":"array","items":{"$ref":"#/$defs/x"}},{"type":"array","items":
        {"$ref":"#/$defs/y"}},{"type":"integer"}]}},"anyOf":[{"$ref":"#/$defs/x"},
        {"$ref":"#/$defs/y"}]})",
};

TEST(TokenMasks, OfSchemasEqualTheDefinition) {
  for (const char* schema : kSchemas) {
    const auto grammar = CompileJsonSchema(ParseJson(schema));
    ASSERT_TRUE(grammar.has_value()) << schema << grammar.error().ToString();
    for (uint32_t seed = 0; seed < 6; ++seed) {
      CheckMasks(*grammar, seed, 40);
      if (HasFatalFailure()) FAIL() << schema;
    }
  }
}

TEST(TokenMasks, OfExpressionsEqualTheDefinition) {
  for (const char* pattern :
       {"(yes|no)( \"a+\")*", "[^a]*aaa", "(a|ab)(c|bc)*", "\\p{L}{2,5}é?", "(null|true,|tru)+"}) {
    const auto grammar = CompileRegex(pattern);
    ASSERT_TRUE(grammar.has_value()) << pattern;
    for (uint32_t seed = 0; seed < 4; ++seed) CheckMasks(*grammar, seed, 20);
  }
}

TEST(TokenMasks, OfThinkingEqualTheDefinition) {
  const auto grammar =
      CompileJsonSchema(ParseJson(R"({"type":"array"})"), {.thinking = ThinkingBlock::kOptional});
  ASSERT_TRUE(grammar.has_value());
  for (uint32_t seed = 0; seed < 4; ++seed) CheckMasks(*grammar, seed, 20);
}

// The limit of nesting is near all the time: what is allowed still always has an end.
TEST(TokenMasks, NearTheLimitOfNestingEqualTheDefinition) {
  for (const char* schema : kSchemas) {
    for (const int depth : {3, 5}) {
      GrammarOptions options;
      options.limits.stack_depth = depth;
      const auto grammar = CompileJsonSchema(ParseJson(schema), options);
      ASSERT_TRUE(grammar.has_value()) << schema;
      for (uint32_t seed = 0; seed < 4; ++seed) {
        CheckMasks(*grammar, seed, 40);
        if (HasFatalFailure()) FAIL() << schema << depth;
      }
    }
  }
}

TEST(TokenMasks, NestingEndsAtTheLimit) {
  const auto grammar = CompileJsonSchema(ParseJson(R"({"type":"array"})"));
  ASSERT_TRUE(grammar.has_value());
  EXPECT_TRUE(AcceptsPrefix(*grammar, std::string(150, '[')));
  EXPECT_FALSE(AcceptsPrefix(*grammar, std::string(250, '[')));
  EXPECT_TRUE(Accepts(*grammar, std::string(150, '[') + std::string(150, ']')));
}

TEST(TokenMasks, StopTokensEndAnAnswer) {
  const auto grammar = CompileRegex("ab|abc");
  ASSERT_TRUE(grammar.has_value());
  Vocabulary& v = TestVocabulary();
  const int32_t stop = v.tokenizer.vocab_size() - 1;
  GrammarMatcher matcher(*grammar, v.trie);
  EXPECT_FALSE(matcher.CanEnd());
  EXPECT_FALSE(matcher.Accept(stop));
  EXPECT_TRUE(matcher.Accept('a'));
  EXPECT_FALSE(matcher.Accept('c'));  // and nothing has changed
  EXPECT_TRUE(matcher.Accept('b'));
  EXPECT_TRUE(matcher.CanEnd());
  EXPECT_FALSE(matcher.MustEnd());
  EXPECT_FALSE(matcher.Accept(-1));
  EXPECT_FALSE(matcher.Accept(stop + 1));
  EXPECT_TRUE(matcher.Accept(stop));
  EXPECT_TRUE(matcher.MustEnd());
  EXPECT_FALSE(matcher.Accept('c'));
  EXPECT_FALSE(matcher.AcceptBytes("c"));
  std::vector<uint32_t> mask(v.trie->mask_words(), ~0u);
  EXPECT_FALSE(matcher.FillMask(mask));
  EXPECT_THAT(mask, testing::Each(0u));
}

TEST(TokenMasks, ACompleteAnswerMustEnd) {
  const auto grammar = CompileJsonSchema(ParseJson(R"({"type":"array","maxItems":0})"));
  ASSERT_TRUE(grammar.has_value());
  GrammarMatcher matcher = MakeMatcher(*grammar);
  EXPECT_TRUE(matcher.AcceptBytes("["));
  EXPECT_FALSE(matcher.MustEnd());
  EXPECT_TRUE(matcher.AcceptBytes("]"));
  EXPECT_TRUE(matcher.MustEnd());
}

TEST(TokenMasks, LogitsOutsideAreNever) {
  std::vector<float> logits(40, 1.0f);
  const std::vector<uint32_t> mask = {0b101};
  MaskLogits(mask, logits);
  for (size_t i = 0; i < logits.size(); ++i) {
    EXPECT_EQ(std::isinf(logits[i]), i != 0 && i != 2) << i;
  }
}

}  // namespace
}  // namespace flashmoe::grammar
