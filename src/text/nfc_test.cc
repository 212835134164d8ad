#include "text/nfc.h"

#include <gtest/gtest.h>

#include "text/utf8.h"

namespace flashmoe {
namespace {

TEST(Nfc, ComposesAndReorders) {
  EXPECT_EQ(ToNfc(""), "");
  EXPECT_EQ(ToNfc("cafe\u0301s"), "caf\u00e9s");
  EXPECT_EQ(ToNfc("\u0301e"), "\u0301e");
  EXPECT_EQ(ToNfc("a\u0301\u0323"), "\u1ea1\u0301");  // the dot below first
  EXPECT_EQ(ToNfc("a\u0323\u0301"), "\u1ea1\u0301");
  EXPECT_EQ(ToNfc("\u212B\u2126"), "\u00C5\u03A9");  // singletons
  EXPECT_EQ(ToNfc("\u0958"), "\u0915\u093C");        // excluded from composition
  EXPECT_EQ(ToNfc("\u1112\u1161\u11ab"), "\ud55c");  // Hangul
  EXPECT_EQ(ToNfc("\ud558\u11ab"), "\ud55c");
  EXPECT_EQ(ToNfc("\u304b\u3099"), "\u304c");
  EXPECT_EQ(ToNfc("\U0002F800"), "\u4e3d");
  EXPECT_EQ(ToNfc("x\u0345\u0301y e\u0301"), "x\u0301\u0345y \u00e9");
}

TEST(Nfc, LeavesNormalTextAlone) {
  for (const char* text :
       {"plain", "na\u00efve \u4f60\u597d \ud55c\uad6d \U0001F600", "\u02FF\u0100"}) {
    EXPECT_TRUE(IsPlainNfc(text));
    EXPECT_EQ(ToNfc(text), text);
  }
  EXPECT_FALSE(IsPlainNfc("e\u0301"));
  EXPECT_FALSE(IsPlainNfc("\u212B"));
}

// Marks that Unicode 10 and later added have no class to the reference's normaliser.
TEST(Nfc, MarksNewerThanTheReferenceKeepTheirPlace) {
  EXPECT_EQ(ToNfc("e\u1DF6\u0301"), "e\u1DF6\u0301");
  EXPECT_EQ(ToNfc("a\u0345\u0898"), "a\u0345\u0898");
  EXPECT_EQ(ToNfc("e\u0301\u1DF6\u0345\u0301"), "\u00e9\u1DF6\u0301\u0345");
  EXPECT_EQ(ToNfc("\U00011935\U00011930"), "\U00011935\U00011930");
  EXPECT_EQ(ToNfc("\U00011938"), "\U00011938");
  EXPECT_EQ(ToNfc("\U00011099\U000110BA"), "\U0001109A");  // of Unicode 5.2, does compose
}

TEST(Nfc, IsIdempotentForEveryCharacterWithAMark) {
  std::string text;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    text.clear();
    AppendUtf8(code, text);
    text += "\u0301\u0323";
    const std::string once = ToNfc(text);
    ASSERT_EQ(ToNfc(once), once) << std::hex << static_cast<uint32_t>(code);
  }
}

// A quadratic sort would take minutes.
TEST(Nfc, AMillionMarksAreSorted) {
  std::string text = "a", expected = "\u1ea1";
  constexpr int kMarks = 500'000;
  for (int i = 0; i < kMarks; ++i) text += "\u0301\u0323";
  for (int i = 1; i < kMarks; ++i) expected += "\u0323";
  for (int i = 0; i < kMarks; ++i) expected += "\u0301";
  EXPECT_TRUE(ToNfc(text) == expected);
}

}  // namespace
}  // namespace flashmoe
