#include "text/detokenizer.h"

#include <gtest/gtest.h>

#include <random>

#include "text/utf8.h"

namespace flashmoe {
namespace {

TEST(Utf8Stream, HoldsBackHalfACharacter) {
  Utf8Stream stream;
  EXPECT_EQ(stream.Push("a\xF0"), "a");
  EXPECT_EQ(stream.Push("\x9F\x98"), "");
  EXPECT_EQ(stream.Push("\x80!"), "\U0001F600!");
  EXPECT_EQ(stream.Finish(), "");
}

TEST(Utf8Stream, ReplacesWhatCanNeverBecomeACharacter) {
  Utf8Stream stream;
  EXPECT_EQ(stream.Push("\xFF"), "\uFFFD");
  EXPECT_EQ(stream.Push("\xE4\xBD"), "");
  EXPECT_EQ(stream.Push("x"), "\uFFFDx");
  EXPECT_EQ(stream.Push("\xED"), "");
  EXPECT_EQ(stream.Push("\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
}

TEST(Utf8Stream, FinishReplacesAnUnfinishedCharacterOnce) {
  Utf8Stream stream;
  EXPECT_EQ(stream.Push("\xF0\x9F\x98"), "");
  EXPECT_EQ(stream.Finish(), "\uFFFD");
  EXPECT_EQ(stream.Finish(), "");
  EXPECT_EQ(stream.Push("ok"), "ok");
}

TEST(Utf8Stream, AnyCutsGiveTheTextOfTheWhole) {
  std::mt19937 random(1);
  constexpr char kBytes[] = "a\x80\xBF\xC3\xA9\xE4\xBD\xA0\xED\xA0\xF0\x9F\x98\x80\xF4\x90\xFF";
  for (int i = 0; i < 20000; ++i) {
    std::string bytes, text;
    while (bytes.size() < 12) bytes.push_back(kBytes[random() % (sizeof(kBytes) - 1)]);
    Utf8Stream stream;
    for (size_t at = 0; at < bytes.size();) {
      const size_t count = random() % 4;
      const std::string part = stream.Push(std::string_view(bytes).substr(at, count));
      ASSERT_TRUE(IsValidUtf8(part));
      text += part;
      at += count;
    }
    text += stream.Finish();
    ASSERT_EQ(text, SanitizeUtf8(bytes));
  }
}

}  // namespace
}  // namespace flashmoe
