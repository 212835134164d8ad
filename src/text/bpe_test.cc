#include "text/bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace flashmoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Bytes are their own tokens; merges make 1000, 1001, ...
class BpeTest : public ::testing::Test {
 protected:
  BpeTest() {
    for (size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<int32_t>(i);
  }
  void Merge(int32_t left, int32_t right) {
    const auto rank = static_cast<int32_t>(ranks_.size());
    ranks_[{left, right}] = rank;
    table_.Set(left, right, {rank, 1000 + rank});
  }
  std::vector<int32_t> Encode(std::string_view piece) {
    std::vector<int32_t> ids;
    Bpe(bytes_, table_).Encode(piece, ids);
    return ids;
  }
  // The definition, word by word.
  std::vector<int32_t> EncodeSlowly(std::string_view piece) {
    std::vector<int32_t> ids;
    for (const char c : piece) ids.push_back(static_cast<unsigned char>(c));
    while (true) {
      int32_t best_rank = INT32_MAX;
      size_t best = 0;
      for (size_t i = 0; i + 1 < ids.size(); ++i) {
        const auto it = ranks_.find({ids[i], ids[i + 1]});
        if (it != ranks_.end() && it->second < best_rank) best_rank = it->second, best = i;
      }
      if (best_rank == INT32_MAX) return ids;
      ids[best] = 1000 + best_rank;
      ids.erase(ids.begin() + static_cast<ptrdiff_t>(best) + 1);
    }
  }

  std::array<int32_t, 256> bytes_;
  MergeTable table_{4096};
  std::map<std::pair<int32_t, int32_t>, int32_t> ranks_;
};

TEST_F(BpeTest, MergesByRankAndFromTheLeft) {
  Merge('b', 'c');
  Merge('a', 'b');
  Merge('a', 'a');
  EXPECT_THAT(Encode(""), IsEmpty());
  EXPECT_THAT(Encode("x"), ElementsAre('x'));
  EXPECT_THAT(Encode("abc"), ElementsAre('a', 1000));
  EXPECT_THAT(Encode("ab"), ElementsAre(1001));
  EXPECT_THAT(Encode("aaa"), ElementsAre(1002, 'a'));
  EXPECT_THAT(Encode("aaab"), ElementsAre(1002, 1001));
}

TEST_F(BpeTest, TheLaterRankOfARepeatedMergeCounts) {
  table_.Set('a', 'b', {1, 1001});
  table_.Set('b', 'c', {2, 1002});
  table_.Set('a', 'b', {3, 1001});
  EXPECT_THAT(Encode("abc"), ElementsAre('a', 1002));
}

TEST_F(BpeTest, BytesWithoutATokenAreLeftOut) {
  bytes_['x'] = -1;
  Merge('a', 'b');
  EXPECT_THAT(Encode("axbx"), ElementsAre(1000));
  EXPECT_THAT(Encode("xxx"), IsEmpty());
  EXPECT_THAT(Encode(std::string(1000, 'x')), IsEmpty());
}

TEST_F(BpeTest, EqualsTheDefinitionAtEveryLength) {
  std::mt19937 random(1);
  std::vector<int32_t> tokens = {'a', 'b', 'c', 'd'};
  for (int i = 0; i < 60; ++i) {
    const int32_t left = tokens[random() % tokens.size()], right = tokens[random() % tokens.size()];
    if (ranks_.contains({left, right})) continue;
    tokens.push_back(1000 + static_cast<int32_t>(ranks_.size()));
    Merge(left, right);
  }
  for (size_t length = 0; length < 200; ++length) {
    for (int i = 0; i < 10; ++i) {
      std::string piece;
      while (piece.size() < length) piece.push_back("abcd"[random() % 4]);
      ASSERT_EQ(Encode(piece), EncodeSlowly(piece)) << piece;
    }
  }
}

// Quadratic work would take hours.
TEST_F(BpeTest, AMegabyteWithoutASplit) {
  Merge('a', 'a');
  for (int32_t i = 0; i < 20; ++i) Merge(1000 + i, 1000 + i);
  EXPECT_THAT(Encode(std::string(1 << 20, 'a')), ElementsAre(1019));
}

}  // namespace
}  // namespace flashmoe
