#include "base/huge_vector.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <utility>

namespace flashmoe {
namespace {

TEST(HugeVectorTest, HoldsWhatAVectorHoldsBelowAndAboveAHugePage) {
  for (const size_t n : {size_t{1}, kHugePageBytes / 4 - 1, kHugePageBytes / 4, kHugePageBytes}) {
    HugeVector<int32_t> a(n);
    EXPECT_EQ(std::accumulate(a.begin(), a.end(), 0), 0) << "zeroed";
    std::iota(a.begin(), a.end(), 0);
    HugeVector<int32_t> b = a;
    EXPECT_EQ(a, b);
    const int32_t* data = a.data();
    const HugeVector<int32_t> c = std::move(a);
    EXPECT_EQ(c.data(), data) << "moved, not copied";
    EXPECT_EQ(b, c);
    b.resize(2 * n + 1);
    EXPECT_EQ(b[n - 1], static_cast<int32_t>(n) - 1);
  }
}

TEST(HugeVectorTest, LiesWhereHugePagesBegin) {
  if (kHugeVectorBytes > kHugePageBytes) GTEST_SKIP() << "all lies on the heap";
  const HugeVector<std::byte> large(kHugePageBytes);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(large.data()) % kHugePageBytes, 0u);
}

TEST(HugeVectorTest, RefusesWhatTheSystemDoesNotHave) {
  if (kHugeVectorBytes > kHugePageBytes) GTEST_SKIP() << "the sanitizer's heap ends the program";
  HugeVector<std::byte> vector;
  EXPECT_THROW(vector.resize(uint64_t{1} << 50), std::bad_alloc);
}

}  // namespace
}  // namespace flashmoe
