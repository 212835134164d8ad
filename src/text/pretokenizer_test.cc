#include "text/pretokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace flashmoe {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Pieces(std::string_view text, PreTokenizer pre = PreTokenizer::kQwen35) {
  std::vector<std::string> pieces;
  while (!text.empty()) {
    const size_t bytes = NextPiece(text, pre);
    pieces.emplace_back(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  return pieces;
}

TEST(PreTokenizer, WordsTakeOneCharacterBeforeThem) {
  EXPECT_THAT(Pieces("Hello world"), ElementsAre("Hello", " world"));
  EXPECT_THAT(Pieces("(hi)\thi!hi"), ElementsAre("(hi", ")", "\thi", "!hi"));
  EXPECT_THAT(Pieces("a\nb\r\nc"), ElementsAre("a", "\n", "b", "\r\n", "c"));
  EXPECT_THAT(Pieces("((hi"), ElementsAre("((", "hi"));
  EXPECT_THAT(Pieces("\u00a0x"), ElementsAre("\u00a0x"));
}

TEST(PreTokenizer, DigitsStandAlone) {
  EXPECT_THAT(Pieces("in 2026x"), ElementsAre("in", " ", "2", "0", "2", "6", "x"));
  EXPECT_THAT(Pieces("\u0663\u00bd\u2167"), ElementsAre("\u0663", "\u00bd", "\u2167"));
}

TEST(PreTokenizer, Contractions) {
  EXPECT_THAT(Pieces("don't we'LL"), ElementsAre("don", "'t", " we", "'LL"));
  EXPECT_THAT(Pieces("'REvolve'"), ElementsAre("'RE", "volve", "'"));
  EXPECT_THAT(Pieces("x'r y'l"), ElementsAre("x", "'r", " y", "'l"));
  EXPECT_THAT(Pieces("'stop"), ElementsAre("'s", "top"));
  EXPECT_THAT(Pieces(" 's"), ElementsAre(" '", "s"));
  EXPECT_THAT(Pieces("'"), ElementsAre("'"));
}

TEST(PreTokenizer, LongSFoldsAndOtherLettersDoNot) {
  EXPECT_THAT(Pieces("a'\u017Fb"), ElementsAre("a", "'\u017F", "b"));
  EXPECT_THAT(Pieces("a'\uFB06b"), ElementsAre("a", "'\uFB06b"));
  EXPECT_THAT(Pieces("a'\u212Ab"), ElementsAre("a", "'\u212Ab"));
}

TEST(PreTokenizer, SymbolsTakeASpaceBeforeAndNewlinesAfter) {
  EXPECT_THAT(Pieces("a ...\n\nb"), ElementsAre("a", " ...\n\n", "b"));
  EXPECT_THAT(Pieces("a  {}"), ElementsAre("a", " ", " {}"));
  EXPECT_THAT(Pieces(std::string_view("\0\0", 2)), ElementsAre(std::string(2, '\0')));
}

TEST(PreTokenizer, SpaceRunsGiveUpTheirLastCharacter) {
  EXPECT_THAT(Pieces("a   b"), ElementsAre("a", "  ", " b"));
  EXPECT_THAT(Pieces("a   7"), ElementsAre("a", "  ", " ", "7"));
  EXPECT_THAT(Pieces("a   "), ElementsAre("a", "   "));
  EXPECT_THAT(Pieces(" "), ElementsAre(" "));
  EXPECT_THAT(Pieces("a\u3000\u3000b"), ElementsAre("a", "\u3000", "\u3000b"));
}

TEST(PreTokenizer, NewlinesEndASpaceRun) {
  EXPECT_THAT(Pieces("a  \n \r\n  b"), ElementsAre("a", "  \n \r\n", " ", " b"));
  EXPECT_THAT(Pieces("\n\n\t"), ElementsAre("\n\n", "\t"));
  EXPECT_THAT(Pieces("\u0085\u2028x"), ElementsAre("\u0085", "\u2028x"));  // not of [\r\n]
}

TEST(PreTokenizer, MarksAreLettersOnlyToQwen35) {
  const std::string_view text = "\u0928\u092e\u0938\u094d\u0924\u0947";
  EXPECT_THAT(Pieces(text), ElementsAre(text));
  EXPECT_THAT(Pieces(text, PreTokenizer::kQwen2),
              ElementsAre("\u0928\u092e\u0938", "\u094d\u0924", "\u0947"));
  EXPECT_THAT(Pieces(" \u0301\u0301a"), ElementsAre(" \u0301\u0301a"));
  EXPECT_THAT(Pieces(" \u0301\u0301a", PreTokenizer::kQwen2), ElementsAre(" \u0301\u0301", "a"));
}

TEST(PreTokenizer, LongRunsTakeLinearTime) {
  for (const char* unit : {" ", "a", "!", " \n", "'", "\u0301"}) {
    std::string text;
    while (text.size() < 1'000'000) text += unit;
    text += "x";
    size_t bytes = 0;
    for (const std::string& piece : Pieces(text)) bytes += piece.size();
    EXPECT_EQ(bytes, text.size());
  }
}

TEST(PreTokenizer, RecognisesPatterns) {
  constexpr char kRest[] = R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
  const std::string contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
  const std::string qwen2 = R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)";
  const std::string qwen35 =
      R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)";
  EXPECT_EQ(RecognisePattern(contractions + qwen2 + kRest), PreTokenizer::kQwen2);
  EXPECT_EQ(RecognisePattern(contractions + qwen35 + kRest), PreTokenizer::kQwen35);
  EXPECT_EQ(RecognisePattern("'(?i:[sdmt]|ll|ve|re)" + qwen35 + kRest), PreTokenizer::kQwen35);
  EXPECT_EQ(RecognisePattern(contractions + qwen35), std::nullopt);
  EXPECT_EQ(RecognisePattern(contractions + qwen35 + kRest + "|x"), std::nullopt);
  EXPECT_EQ(RecognisePattern(""), std::nullopt);
  // Three digits at a time, as GPT-4 has it.
  EXPECT_EQ(
      RecognisePattern(contractions +
                       R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)" + kRest),
      std::nullopt);
}

}  // namespace
}  // namespace flashmoe
