#include "terminal/folding_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "terminal/test_screen.h"

namespace flashmoe::terminal {
namespace {

TEST(FoldingTextTest, ShowsTheLastRowsAndThenOneLine) {
  TestScreen screen({20, 12});
  screen.Write("before\r\n");
  FoldingText text(screen.MakeSink(), {20, 12});
  text.Push("\none\ntwo");
  EXPECT_EQ(screen.Styled(), "before\n{2}  one{}\n{2}  two{}\n");
  text.Push("\nthree\nfour\nfive with words that wrap");
  EXPECT_EQ(screen.Plain(), "before\n  three\n  four\n  five with words\n  that wrap\n");
  text.Push("\x1b[2J");
  text.Fold("thought for 1.0 s");
  EXPECT_EQ(screen.Styled(), "before\n{2}thought for 1.0 s{}\n");
  EXPECT_EQ(screen.column(), 0);
}

TEST(FoldingTextTest, FoldsToNothing) {
  TestScreen screen({20, 12});
  FoldingText text(screen.MakeSink(), {20, 12});
  text.Push("a\nb\nc");
  text.Fold("");
  EXPECT_EQ(screen.Plain(), "\n");
  EXPECT_EQ(screen.row(), 0u);
  EXPECT_EQ(screen.column(), 0);
}

TEST(FoldingTextTest, LongLinesStayWithinTheirRows) {
  TestScreen screen({20, 30});
  FoldingText text(screen.MakeSink(), {20, 30});
  for (int i = 0; i < 500; ++i) text.Push("word ");
  EXPECT_LE(screen.row(), 6u);
  text.Fold("done");
  EXPECT_EQ(screen.Plain(), "done\n");
}

}  // namespace
}  // namespace flashmoe::terminal
