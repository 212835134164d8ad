#include "sample/stop_strings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>

namespace flashmoe {
namespace {

using Stops = std::vector<std::string>;

// Feeds pieces until stopped or at the end: the visible text, and whether it was stopped.
std::pair<std::string, bool> Feed(const Stops& stops, const std::vector<std::string>& pieces) {
  StopMatcher matcher(stops);
  std::string text;
  for (const std::string& piece : pieces) {
    const StopMatcher::Output output = matcher.Push(piece);
    text += output.emit;
    if (output.stopped) return {text, true};
  }
  return {text + matcher.Finish(), false};
}

// The same, told the plain way: the first end of any stop string, the longest one ending there.
std::pair<std::string, bool> Naive(const Stops& stops, const std::string& text) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& stop : stops) {
      if (!stop.empty() && stop.size() <= end && text.substr(0, end).ends_with(stop)) {
        longest = std::max(longest, stop.size());
      }
    }
    if (longest > 0) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

using Expected = std::pair<std::string, bool>;

TEST(StopMatcherTest, WithoutStopStringsEverythingPasses) {
  EXPECT_EQ(Feed({}, {"ab", "", "c"}), Expected("abc", false));
  EXPECT_EQ(Feed({"", ""}, {"ab"}), Expected("ab", false));
}

TEST(StopMatcherTest, CutsAtAStopStringInOnePiece) {
  EXPECT_EQ(Feed({"END"}, {"some text END and more"}), Expected("some text ", true));
  EXPECT_EQ(Feed({"END"}, {"END"}), Expected("", true));
}

TEST(StopMatcherTest, CutsAcrossPieces) {
  EXPECT_EQ(Feed({"\n\nUser:"}, {"hi", "\n", "\nUs", "er", ": x"}), Expected("hi", true));
}

TEST(StopMatcherTest, HoldsBackOnlyWhatMayBecomeAStopString) {
  StopMatcher matcher({"stop"});
  EXPECT_EQ(matcher.Push("a st").emit, "a ");
  EXPECT_EQ(matcher.Push("").emit, "");
  EXPECT_EQ(matcher.Push("o").emit, "");
  EXPECT_EQ(matcher.Push("rm s").emit, "storm ");
  EXPECT_EQ(matcher.Push("s").emit, "s");
  EXPECT_EQ(matcher.Finish(), "s");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcherTest, FindsAStopStringThatBeginsInsideAFalseStart) {
  EXPECT_EQ(Feed({"aab"}, {"a", "a", "a", "a", "b", "c"}), Expected("aa", true));
  EXPECT_EQ(Feed({"abcabd"}, {"abcab", "cabd"}), Expected("abc", true));
}

TEST(StopMatcherTest, TheFirstToBeCompleteWinsAndTheLongestOfThose) {
  EXPECT_EQ(Feed({"abcd", "bc"}, {"xabcd"}), Expected("xa", true));
  EXPECT_EQ(Feed({"c", "abc"}, {"xabc"}), Expected("x", true));
}

TEST(StopMatcherTest, SaysWhichStopStringItWas) {
  StopMatcher matcher({"abcd", "c", "bc", "x"});
  EXPECT_EQ(matcher.found(), "");
  matcher.Push("ab");
  EXPECT_EQ(matcher.found(), "");
  matcher.Push("cx");
  EXPECT_EQ(matcher.found(), "bc");
  matcher.Push("x");
  EXPECT_EQ(matcher.found(), "bc");
}

TEST(StopMatcherTest, NothingComesAfterTheStop) {
  StopMatcher matcher({"."});
  const StopMatcher::Output first = matcher.Push("one. two");
  EXPECT_TRUE(first.stopped);
  EXPECT_EQ(first.emit, "one");
  const StopMatcher::Output second = matcher.Push(" three.");
  EXPECT_TRUE(second.stopped);
  EXPECT_EQ(second.emit, "");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcherTest, HeldTextNeverSplitsACharacter) {
  StopMatcher matcher({"né"});
  EXPECT_EQ(matcher.Push("è").emit, "è");  // shares its first byte with é
  EXPECT_EQ(matcher.Push("n").emit, "");
  EXPECT_EQ(matcher.Push("è").emit, "nè");
}

TEST(StopMatcherTest, AgreesWithThePlainDefinitionHoweverTextIsCut) {
  std::mt19937 rng(1);
  int stopped = 0;
  for (int round = 0; round < 20'000; ++round) {
    const auto random_text = [&](size_t length_max) {
      std::string text(rng() % (length_max + 1), ' ');
      for (char& c : text) c = static_cast<char>('a' + rng() % 3);
      return text;
    };
    Stops stops;
    for (uint32_t i = 0; i < rng() % 4; ++i) stops.push_back(random_text(6));
    const std::string text = random_text(24);
    std::vector<std::string> pieces;
    for (size_t at = 0; at < text.size();) {
      const size_t length = 1 + rng() % 5;
      pieces.push_back(text.substr(at, length));
      at += length;
    }
    const Expected expected = Naive(stops, text);
    stopped += expected.second ? 1 : 0;
    ASSERT_EQ(Feed(stops, pieces), expected) << text;
  }
  EXPECT_GT(stopped, 5000);
}

TEST(StopMatcherTest, LongRepetitiveTextTakesLinearTime) {
  StopMatcher matcher({std::string(20'000, 'a') + "b"});
  std::string text;
  for (int i = 0; i < 400; ++i) text += matcher.Push(std::string(1000, 'a')).emit;
  EXPECT_EQ(text.size(), 380'000u);
  EXPECT_EQ(matcher.Push("b").stopped, true);
}

}  // namespace
}  // namespace flashmoe
