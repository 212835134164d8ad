#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experts/store.h"
#include "io/test_file.h"

namespace flashmoe {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(ExpertCatalogTest, AddsUpBytesAndSlots) {
  TestFile test(::testing::TempDir(), 1);
  const File* file = test.file();
  ExpertCatalog catalog(/*layers=*/3, /*experts=*/2);
  // Expert 1's pieces straddle more blocks than those of expert 0.
  catalog.SetLayer(1, 2,
                   {{file, 0, 4096}, {file, 8192, 100}, {file, 5000, 4096}, {file, 8190, 100}});
  catalog.SetLayer(2, 1, {{file, 0, 10}, {file, 10, 10}});

  EXPECT_EQ(catalog.layers(), 3);
  EXPECT_EQ(catalog.experts(), 2);
  EXPECT_EQ(catalog.routed_layers(), 2);
  EXPECT_THAT(catalog.pieces(0, 1), IsEmpty());
  ASSERT_THAT(catalog.pieces(1, 1), SizeIs(2));
  EXPECT_EQ(catalog.pieces(1, 1)[0].offset, 5000u);
  EXPECT_EQ(catalog.pieces(1, 1)[1].offset, 8190u);
  EXPECT_EQ(catalog.slot_bytes(0), 0u);
  EXPECT_EQ(catalog.slot_bytes(1), 4u * 4096);
  EXPECT_EQ(catalog.slot_bytes(2), 4096u);
  EXPECT_EQ(catalog.max_slot_bytes(), 4u * 4096);
  EXPECT_EQ(catalog.expert_bytes(0), 0u);
  EXPECT_EQ(catalog.expert_bytes(1), 4196u);
  EXPECT_EQ(catalog.total_bytes(), 2u * 4196 + 2 * 10);
}

TEST(ExpertCatalogTest, PiecesOfOtherSizesAreAProgrammerError) {
  TestFile test(::testing::TempDir(), 1);
  ExpertCatalog catalog(1, 2);
  EXPECT_DEATH(catalog.SetLayer(0, 1, {{test.file(), 0, 10}}), "extents.size");
  EXPECT_DEATH(catalog.SetLayer(0, 1, {{test.file(), 0, 10}, {test.file(), 10, 11}}), "bytes");
}

}  // namespace
}  // namespace flashmoe
