#include "base/prefault.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <vector>

#include "base/memory.h"

namespace flashmoe {
namespace {

constexpr uint64_t kBytes = uint64_t{40} << 20;

uint64_t PagesPresent(const Memory& memory) {
  std::vector<unsigned char> present(memory.size() / kPageBytes);
  EXPECT_EQ(mincore(memory.data(), memory.size(), present.data()), 0);
  return static_cast<uint64_t>(std::ranges::count_if(present, [](int p) { return (p & 1) != 0; }));
}

TEST(PrefaultTest, BringsAllPagesAndChangesNone) {
  const Memory memory = *Memory::Allocate(kBytes);
  memory.data()[kBytes / 2] = std::byte{7};
  Prefault prefault(memory.span());
  memory.data()[kBytes - 1] = std::byte{8};
  prefault.Wait();
  const uint64_t present = PagesPresent(memory);
  if (present < kBytes / kPageBytes) GTEST_SKIP() << "a kernel before 5.14";
  EXPECT_EQ(memory.data()[kBytes / 2], std::byte{7});
  EXPECT_EQ(memory.data()[kBytes - 1], std::byte{8});
  EXPECT_EQ(memory.data()[0], std::byte{0});
}

TEST(PrefaultTest, EndsEarlyWithItsObject) {
  const Memory memory = *Memory::Allocate(kBytes);
  for (int i = 0; i < 20; ++i) Prefault(memory.span());
  Prefault nothing;
  nothing.Wait();
  nothing = Prefault(memory.span().first(0));
  nothing.Wait();
}

}  // namespace
}  // namespace flashmoe
