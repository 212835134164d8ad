#include "text/jinja/sort.h"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>

namespace flashmoe::jinja {
namespace {

TEST(StableSort, KeepsTheOrderOfEquals) {
  for (size_t size : {0u, 1u, 2u, 3u, 7u, 100u}) {
    std::vector<size_t> items(size);
    std::iota(items.begin(), items.end(), 0u);
    const auto key = [](size_t i) { return i * 7919 % 5; };
    auto expected = items;
    std::stable_sort(expected.begin(), expected.end(),
                     [&](size_t a, size_t b) { return key(a) < key(b); });
    ASSERT_TRUE(
        StableSort(items, [&](size_t a, size_t b) { return Result<bool>(key(a) < key(b)); }));
    EXPECT_EQ(items, expected);
  }
}

TEST(StableSort, ReturnsTheErrorOfAComparison) {
  std::vector<int> items{3, 1, 2};
  const auto status =
      StableSort(items, [](int, int) -> Result<bool> { return InvalidInput("no order"); });
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().what, "no order");
}

TEST(StableSort, SurvivesComparisonsWithoutOrder) {
  std::vector<double> items(50, std::numeric_limits<double>::quiet_NaN());
  for (size_t i = 0; i < items.size(); i += 3) items[i] = static_cast<double>(50 - i);
  ASSERT_TRUE(StableSort(items, [](double a, double b) { return Result<bool>(!(a >= b)); }));
  EXPECT_EQ(items.size(), 50u);
}

}  // namespace
}  // namespace flashmoe::jinja
