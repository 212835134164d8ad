#include "terminal/key_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flashmoe::terminal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Kind = Key::Kind;

std::vector<Key> Keys(std::string_view bytes) {
  KeyDecoder decoder;
  std::vector<Key> keys = decoder.Push(bytes);
  for (Key& key : decoder.Flush()) keys.push_back(std::move(key));
  return keys;
}

TEST(KeyDecoderTest, TextControlsAndSequences) {
  EXPECT_THAT(Keys("hé\r"), ElementsAre(Key{Kind::kText, "hé"}, Key{Kind::kEnter}));
  EXPECT_THAT(Keys("\x1b[A\x1bOB\x1b[1;5C\x1b"
                   "b\x7f\x01"),
              ElementsAre(Key{Kind::kUp}, Key{Kind::kDown}, Key{Kind::kWordRight},
                          Key{Kind::kWordLeft}, Key{Kind::kBackspace}, Key{Kind::kControl, "a"}));
  EXPECT_THAT(Keys("\x1b\r\n\x1b"),
              ElementsAre(Key{Kind::kNewLine}, Key{Kind::kNewLine}, Key{Kind::kEscape}));
  EXPECT_THAT(Keys("\x1b[99;99X\x1b[<1;2;3M"),
              ElementsAre(Key{Kind::kUnknown}, Key{Kind::kUnknown}));
}

TEST(KeyDecoderTest, PastesAreOneKeyAndHarmless) {
  EXPECT_THAT(Keys("\x1b[200~a\rb\r\nc\x1b[31m\x03\x1b[201~x"),
              ElementsAre(Key{Kind::kPaste, "a\nb \nc␛[31m␃"}, Key{Kind::kText, "x"}));
}

TEST(KeyDecoderTest, WaitsForTheRest) {
  KeyDecoder decoder;
  EXPECT_THAT(decoder.Push("\x1b["), IsEmpty());
  EXPECT_TRUE(decoder.pending());
  EXPECT_THAT(decoder.Push("D"), ElementsAre(Key{Kind::kLeft}));
  EXPECT_THAT(decoder.Push("a\xc3"), ElementsAre(Key{Kind::kText, "a"}));
  EXPECT_THAT(decoder.Push("\xa9"), ElementsAre(Key{Kind::kText, "é"}));
  EXPECT_THAT(decoder.Push("\x1b[200~half"), IsEmpty());
  EXPECT_FALSE(decoder.pending()) << "a paste has all the time it needs";
  EXPECT_THAT(decoder.Flush(), IsEmpty());
  EXPECT_THAT(decoder.Push("\x1b[20"), IsEmpty());
  EXPECT_THAT(decoder.Push("1~"), ElementsAre(Key{Kind::kPaste, "half"}));
}

TEST(KeyDecoderTest, EndsWhateverItIsFed) {
  uint32_t state = 1;
  KeyDecoder decoder;
  for (int i = 0; i < 20'000; ++i) {
    state = state * 1664525 + 1013904223;
    static constexpr std::string_view kBytes = "\x1b\x1b[O;~12500aé\xff\r\n\x7f\x9b";
    decoder.Push(kBytes.substr(state >> 16 & 15, 1 + (state >> 24 & 3)));
    if (state % 7 == 0) decoder.Flush();
  }
  decoder.Push("\x1b[201~");
  decoder.Flush();
  EXPECT_FALSE(decoder.pending());
}

}  // namespace
}  // namespace flashmoe::terminal
