#include "io/page_cache.h"

#include <gtest/gtest.h>

#include "io/test_file.h"

namespace flashmoe {
namespace {

TEST(PageCacheTest, WhatIsDroppedIsGoneAndReadsBringItBack) {
  constexpr uint64_t kBytes = 3'000'001;
  TestFile test(::testing::TempDir(), kBytes);
  const auto file = File::Open(test.path());
  ASSERT_TRUE(file.has_value());
  std::vector<std::byte> out(kBytes);
  ASSERT_TRUE((*file)->ReadAt(0, out).has_value());
  EXPECT_EQ(CachedBytes(**file), kBytes);

  // Volumes that live in memory keep everything; elsewhere nothing that was asked to go stays.
  const uint64_t left = DropFromPageCache({&*file, 1});
  EXPECT_EQ(left, CachedBytes(**file));
  if ((*file)->direct_fd() >= 0) {
    EXPECT_EQ(left, 0u);
  }

  ASSERT_TRUE((*file)->ReadAt(0, out).has_value());
  EXPECT_EQ(CachedBytes(**file), kBytes);
  EXPECT_TRUE(std::ranges::equal(out, test.content()));
}

}  // namespace
}  // namespace flashmoe
