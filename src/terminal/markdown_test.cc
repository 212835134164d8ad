// Answers as they look, and that they look the same however they came.
#include "terminal/markdown.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "terminal/test_screen.h"

namespace flashmoe::terminal {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Show(std::string_view text, ScreenSize size = {80, 24}, bool styles = false) {
  TestScreen screen(size);
  MarkdownWriter writer(screen.MakeSink(), size);
  writer.Push(text);
  writer.Finish();
  EXPECT_EQ(screen.column(), 0);
  return styles ? screen.Styled() : screen.Plain();
}

std::string Styled(std::string_view text) { return Show(text, {80, 24}, true); }

TEST(MarkdownTest, EmphasisCodeAndLinks) {
  EXPECT_EQ(Styled("a *b* **c** ***d*** ~~e~~ `f*g*`"),
            "a {3}b{} {1}c{} {1;3}d{} {9}e{} {36}f*g*{}\n");
  EXPECT_EQ(Styled("**bold with *nested* and `code`**"),
            "{1}bold with {1;3}nested{1} and {1;36}code{}\n");
  EXPECT_EQ(Styled("see [the *page*](https://a.b/c_d_e)."),
            "see {4;34}the {3;4;34}page{2} (https://a.b/c_d_e){}.\n");
  EXPECT_EQ(Styled("https://a.b/c_d_e, <https://x.y>"),
            "{4;34}https://a.b/c_d_e{}, {4;34}https://x.y{}\n");
  EXPECT_EQ(Styled("2 * 3 * 4, snake_case_name, \\*no\\*, **open, `open, 1 < 2 &amp; 3"),
            "2 * 3 * 4, snake_case_name, *no*, **open, `open, 1 < 2 & 3\n");
  EXPECT_EQ(Styled("**中文。**后"), "{1}中文。{}后\n");
}

TEST(MarkdownTest, HeadingsRulesAndParagraphs) {
  EXPECT_EQ(
      Styled("# One\ntext\n## Two ##\n### Three\n\nFour\n===\nline\nline\n\n---\n#no"),
      "{1;4;35}One{}\n\ntext\n\n{1;35}Two{}\n\n{1}Three{}\n\n{1;4;35}Four{}\n\nline\nline\n\n{2}" +
          std::string([] {
            std::string rule;
            for (int i = 0; i < 79; ++i) rule += "─";
            return rule;
          }()) +
          "{}\n#no\n");
}

TEST(MarkdownTest, ListsNest) {
  EXPECT_EQ(
      Show("Intro:\n- one\n- two\n  - inner\n    more\n  - inner2\n- [x] done\n- [ ] open\n\n"
           "1. first\n   continued\n2. second\n  - lenient\n10) tenth\n\n    paragraph in it\n"),
      "Intro:\n• one\n• two\n  ◦ inner\n    more\n  ◦ inner2\n☑ done\n☐ open\n\n"
      "1. first\n   continued\n2. second\n   ◦ lenient\n10) tenth\n\n    paragraph in it\n");
}

TEST(MarkdownTest, QuotesNest) {
  EXPECT_EQ(Show("> a\nlazy\n> - item\n>\n> > deep\n\nout"),
            "│ a\n│ lazy\n│ • item\n│\n│ │ deep\n\nout\n");
}

TEST(MarkdownTest, CodeKeepsItsSpacesAndMarks) {
  EXPECT_EQ(Styled("Run:\n```sh\nls  *.c\n\n  # no heading\n```\nDone"),
            "Run:\n\n{2}sh{}\n  {36}ls  *.c{}\n\n  {36}  # no heading{}\n\nDone\n");
  EXPECT_EQ(Show("- item\n  ```\n  a\n b\n  ```\n- next"), "• item\n\n    a\n    b\n\n• next\n");
  EXPECT_EQ(Show("````\n```\nx\n```\n````"), "  ```\n  x\n  ```\n");
  EXPECT_EQ(Show("```\nnever closed"), "  never closed\n");
  EXPECT_EQ(Show("```\n0123456789abcdef\n```", {13, 24}), "  0123456789\n  abcdef\n");
}

TEST(MarkdownTest, TablesAreAligned) {
  EXPECT_EQ(
      Show("| Name | Count |\n|:--|--:|\n| a *b* | 1 |\n| longer name | 1000 |\n| x |\n\nend"),
      "Name        │ Count\n────────────┼──────\na b         │     1\nlonger name │  1000\n"
      "x           │\n\nend\n");
  EXPECT_EQ(Show("a | b\n--|--\n中文 | `x|y`\n"), "a    │ b\n─────┼───\n中文 │ `x\n");
  EXPECT_EQ(Show("| no | table |\nafter"), "| no | table |\nafter\n");
}

TEST(MarkdownTest, WideTablesWrapTheirCells) {
  EXPECT_EQ(Show("|k|text|\n|-|-|\n|a|one two three four|\n", {16, 24}),
            "k │ text\n──┼────────────\na │ one two\n  │ three four\n");
}

TEST(MarkdownTest, WrapsAtWords) {
  EXPECT_EQ(Show("- one two three four five", {13, 24}), "• one two\n  three four\n  five\n");
  EXPECT_EQ(Show("中文中文中文中文", {11, 24}), "中文中文中\n文中文\n");
  EXPECT_EQ(Show("a incomprehensibilities", {11, 24}), "a\nincomprehe\nnsibilitie\ns\n");
}

TEST(MarkdownTest, EscapeSequencesDoNothing) {
  const std::string shown = Styled(
      "a\x1b[31mred\x1b]0;title\x07 \x9b"
      "1m \xc2\x9b"
      "2J \r b\x08 `\x1b[2J` \xe2\x80\xae");
  EXPECT_THAT(shown, Not(HasSubstr("\x1b")));
  EXPECT_EQ(shown,
            "a␛[31mred␛]0;title␇ \xEF\xBF\xBD"
            "1m \xEF\xBF\xBD"
            "2J  b␈ {36}␛[2J{} \xEF\xBF\xBD\n");
}

TEST(MarkdownTest, ShowsWhatIsLikelyMeanwhile) {
  TestScreen screen({80, 24});
  MarkdownWriter writer(screen.MakeSink(), {80, 24});
  writer.Push("Some **bo");
  EXPECT_EQ(screen.Styled(), "Some {1}bo{}\n");
  writer.Push("ld*");
  EXPECT_EQ(screen.Styled(), "Some {1}bold{}\n");
  writer.Push("*\n");
  EXPECT_EQ(screen.Styled(), "Some {1}bold{}\n");
  writer.Push("\n- ");
  EXPECT_EQ(screen.Styled(), "Some {1}bold{}\n");
  writer.Push("item\n\n| a");
  writer.Push(" |\n|--");
  EXPECT_THAT(screen.Plain(), Not(HasSubstr("|")));
  writer.Push("|\n| 1 |\n");
  writer.Finish();
  EXPECT_THAT(screen.Plain(), HasSubstr("─"));
}

TEST(MarkdownTest, AResizedScreenIsWrittenOnInItsWidth) {
  TestScreen screen({40, 24});
  MarkdownWriter writer(screen.MakeSink(), {80, 24});
  writer.Push("short\n\n");
  writer.SetSize({40, 24});
  writer.Push("one two three four five six seven eight nine ten");
  writer.Finish();
  EXPECT_EQ(screen.Plain(), "short\n\none two three four five six seven eight\nnine ten\n");
}

// Random documents made of everything that markdown has, and of noise.
class Documents {
 public:
  explicit Documents(uint32_t seed) : random_(seed) {}

  std::string Next() {
    static const std::vector<std::string> kPieces = {"word ",
                                                     "another ",
                                                     "**",
                                                     "*",
                                                     "_",
                                                     "`",
                                                     "``",
                                                     "~~",
                                                     "\n",
                                                     "\n",
                                                     "\n\n",
                                                     "# ",
                                                     "\n- ",
                                                     "\n  - ",
                                                     "\n1. ",
                                                     "\n> ",
                                                     "\n```\n",
                                                     "\n```py\n",
                                                     "| a | b |\n",
                                                     "|---|:-:|\n",
                                                     "| x | **y** |\n",
                                                     "\n---\n",
                                                     "\n===\n",
                                                     "[text](",
                                                     "http://a.b/c)",
                                                     "]",
                                                     "[",
                                                     "(",
                                                     ")",
                                                     "\\",
                                                     "<br>",
                                                     "中文字",
                                                     "é",
                                                     "👩‍👩‍👧",
                                                     "\xff",
                                                     "\x1b[1m",
                                                     "\t",
                                                     "    ",
                                                     "|",
                                                     "longlonglonglonglonglonglongword",
                                                     "a. b, c! ",
                                                     "\n\n| h |\n|--|\n",
                                                     "&lt;",
                                                     "1986. "};
    std::string text;
    const int pieces = Below(120);
    for (int i = 0; i < pieces; ++i) text += kPieces[Below(static_cast<int>(kPieces.size()))];
    if (Below(4) == 0) {  // a paragraph of more than a screen
      for (int i = 0; i < 200; ++i) text += Below(30) == 0 ? "**bold " : "wörd ";
    }
    if (Below(8) == 0) {
      text += "\n\n| n | v |\n|--|--|\n";
      for (int i = 0; i < 40; ++i) text += "| " + std::to_string(Below(100000)) + " | x |\n";
    }
    return text;
  }

  int Below(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }

 private:
  std::mt19937 random_;
};

TEST(MarkdownTest, AnySplitGivesTheSameScreen) {
  Documents documents(7);
  for (int round = 0; round < 150; ++round) {
    const std::string text = documents.Next();
    const ScreenSize size = {10 + documents.Below(60), 6 + documents.Below(20)};
    const std::string whole = Show(text, size, true);
    for (const int piece_max : {1, 4, 40}) {
      TestScreen screen(size);
      MarkdownWriter writer(screen.MakeSink(), size);
      for (size_t at = 0; at < text.size();) {
        const size_t bytes = 1 + static_cast<size_t>(documents.Below(piece_max));
        writer.Push(std::string_view(text).substr(at, bytes));
        at += bytes;
      }
      writer.Finish();
      ASSERT_EQ(screen.Styled(), whole)
          << "round " << round << ", " << size.columns << "x" << size.rows << ":\n"
          << text;
    }
  }
}

// The height of the screen decides what must be certain early, and nothing else, where nothing
// stays open for longer than half a screen.
TEST(MarkdownTest, LongParagraphsLookTheSameOnLowScreens) {
  std::string text;
  for (int i = 0; i < 300; ++i)
    text += i % 7 == 0 ? "**very bold** " : i % 11 == 0 ? "中文 " : "plain ";
  EXPECT_EQ(Show(text, {40, 10}, true), Show(text, {40, 500}, true));
}

}  // namespace
}  // namespace flashmoe::terminal
