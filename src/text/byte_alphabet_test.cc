#include "text/byte_alphabet.h"

#include <gtest/gtest.h>

#include <set>

#include "text/utf8.h"

namespace flashmoe {
namespace {

TEST(ByteAlphabet, IsGpt2s) {
  EXPECT_EQ(ByteToAlphabet('a'), U'a');
  EXPECT_EQ(ByteToAlphabet(' '), U'\u0120');
  EXPECT_EQ(ByteToAlphabet('\n'), U'\u010A');
  EXPECT_EQ(ByteToAlphabet(0), U'\u0100');
  EXPECT_EQ(ByteToAlphabet(0x7F), U'\u0121');
  EXPECT_EQ(ByteToAlphabet(0xAD), U'\u0143');
  EXPECT_EQ(ByteToAlphabet(0xFF), U'\u00FF');
}

TEST(ByteAlphabet, EveryByteComesBack) {
  std::set<char32_t> alphabet;
  std::string token, expected;
  for (int byte = 0; byte < 256; ++byte) {
    alphabet.insert(ByteToAlphabet(static_cast<uint8_t>(byte)));
    AppendUtf8(ByteToAlphabet(static_cast<uint8_t>(byte)), token);
    expected.push_back(static_cast<char>(byte));
  }
  EXPECT_EQ(alphabet.size(), 256u);
  std::string bytes;
  EXPECT_TRUE(AppendTokenBytes(token, bytes));
  EXPECT_EQ(bytes, expected);
}

TEST(ByteAlphabet, OtherTextStandsForItself) {
  for (const char* token : {"\u0120a b", "\u4f60", "a\xFF", "\u0144"}) {
    std::string bytes = "x";
    EXPECT_FALSE(AppendTokenBytes(token, bytes));
    EXPECT_EQ(bytes, std::string("x").append(token));
  }
}

}  // namespace
}  // namespace flashmoe
