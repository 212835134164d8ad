#include "measure/svg_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flashmoe {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

size_t Count(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(SvgChartTest, TextIsHarmless) {
  EXPECT_EQ(EscapeHtml("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
  const std::string svg = LineChart("<x>", "y", {{"</svg>", 0, false, {{1, 2}}}});
  EXPECT_THAT(svg, HasSubstr("&lt;x&gt;"));
  EXPECT_EQ(Count(svg, "</svg>"), 1u);
}

TEST(SvgChartTest, LinesHaveADotForEachPointWithinThePicture) {
  const std::string svg =
      LineChart("GiB", "tokens/s", {{"a", 1, false, {{4, 2.5, 2, 3}, {8, 5}}}, {"b", 2, true, {}}});
  EXPECT_THAT(svg, StartsWith("<svg viewBox=\"0 0 720 300\""));
  EXPECT_EQ(Count(svg, "<circle class=\"c1\""), 2u);
  EXPECT_EQ(Count(svg, "class=\"line l1\" x1"), 1u) << "the range of the first";
  EXPECT_THAT(svg, HasSubstr("l2 dashed"));
  EXPECT_THAT(svg, HasSubstr("M382.0 134.0L704.0 12.0"));
}

TEST(SvgChartTest, PartsOfABarStandOnEachOther) {
  const std::string svg = StackedColumns("layer", "ms", {{"0", {{0, 1, "wait"}, {3, 3, "work"}}}});
  EXPECT_THAT(svg, HasSubstr("y=\"195.00\" width=\"515.20\" height=\"61.00\"><title>0: wait 1"));
  EXPECT_THAT(svg, HasSubstr("y=\"12.00\" width=\"515.20\" height=\"183.00\"><title>0: work 3"));
}

TEST(SvgChartTest, RowsShowTheirSums) {
  const std::string svg = StackedRows("ms", {{"warm", {{0, 1.25, "a"}, {1, 2.5, "b"}}}});
  EXPECT_THAT(svg, HasSubstr(">3.75</text>"));
  EXPECT_THAT(svg, HasSubstr(">warm</text>"));
}

TEST(SvgChartTest, NothingToShowIsNoTrouble) {
  for (const std::string& svg :
       {LineChart("x", "y", {}), StackedColumns("x", "y", {}), StackedRows("x", {}),
        LineChart("x", "y", {{"0", 0, false, {{0, 0}}}})}) {
    EXPECT_THAT(svg, HasSubstr("</svg>"));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
}

}  // namespace
}  // namespace flashmoe
