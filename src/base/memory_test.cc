#include "base/memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <utility>

namespace flashmoe {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

bool IsZero(const Memory& memory) {
  for (const std::byte b : memory.span()) {
    if (b != std::byte{0}) return false;
  }
  return true;
}

TEST(AlignTest, RoundsToMultiples) {
  EXPECT_EQ(AlignUp(0, 4096), 0u);
  EXPECT_EQ(AlignUp(1, 4096), 4096u);
  EXPECT_EQ(AlignUp(4096, 4096), 4096u);
  EXPECT_EQ(AlignDown(4095, 4096), 0u);
  EXPECT_EQ(AlignDown(8191, 4096), 4096u);
  EXPECT_EQ(AlignUp(10, 7), 14u);
}

TEST(MemoryTest, IsZeroedAlignedAndWritableToTheLastByte) {
  for (const uint64_t bytes :
       {uint64_t{1}, uint64_t{4095}, uint64_t{4096}, 2 * kMiB - 1, 2 * kMiB, 5 * kMiB + 123}) {
    Result<Memory> memory = Memory::Allocate(bytes);
    ASSERT_TRUE(memory.has_value()) << memory.error().ToString();
    EXPECT_EQ(memory->size(), bytes);
    EXPECT_EQ(memory->span().size(), bytes);
    const uint64_t alignment = bytes >= 2 * kMiB ? 2 * kMiB : kPageBytes;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory->data()) % alignment, 0u) << bytes;
    EXPECT_TRUE(IsZero(*memory));
    std::memset(memory->data(), 0xab, bytes);
    EXPECT_EQ(memory->as<uint8_t>()[bytes - 1], 0xab);
  }
}

TEST(MemoryTest, NoBytesNeedNoMapping) {
  Result<Memory> memory = Memory::Allocate(0);
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->data(), nullptr);
  EXPECT_EQ(memory->size(), 0u);
}

TEST(MemoryTest, AbsurdSizesAreErrors) {
  for (const uint64_t bytes : {~uint64_t{0}, ~uint64_t{0} - 4095, uint64_t{1} << 47}) {
    const Result<Memory> memory = Memory::Allocate(bytes);
    ASSERT_FALSE(memory.has_value());
    EXPECT_EQ(memory.error().code, ErrorCode::kOutOfMemory);
  }
  EXPECT_NE(Memory::Allocate(~uint64_t{0}).error().what.find("18.4 EB"), std::string::npos);
}

TEST(MemoryTest, MovesItsMapping) {
  Result<Memory> allocated = Memory::Allocate(100);
  ASSERT_TRUE(allocated.has_value());
  std::byte* const data = allocated->data();
  Memory first = std::move(*allocated);
  EXPECT_EQ(allocated->data(), nullptr);
  EXPECT_EQ(allocated->size(), 0u);
  EXPECT_EQ(first.data(), data);
  Memory second;
  second = std::move(first);
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(second.size(), 100u);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Sanitizers keep memory of their own, so that these figures say nothing there.
TEST(MemoryTest, ResidentBytesFollowWhatIsTouchedAndGivenBack) {
  const uint64_t before = ResidentBytes();
  if (before == 0) GTEST_SKIP() << "no /proc here";
  {
    Result<Memory> memory = Memory::Allocate(64 * kMiB);
    ASSERT_TRUE(memory.has_value());
    EXPECT_LT(ResidentBytes(), before + 16 * kMiB) << "untouched memory must cost nothing";
    std::memset(memory->data(), 1, memory->size());
    EXPECT_GE(ResidentBytes(), before + 60 * kMiB);
  }
  EXPECT_LT(ResidentBytes(), before + 16 * kMiB) << "memory was not given back";
  EXPECT_GE(PeakResidentBytes(), before + 60 * kMiB);
}

TEST(MemoryTest, ManyOddSizesGiveEverythingBack) {
  const uint64_t before = ResidentBytes();
  for (int i = 0; i < 200; ++i) {
    Result<Memory> memory = Memory::Allocate(2 * kMiB + static_cast<uint64_t>(i) * 5000);
    ASSERT_TRUE(memory.has_value());
    std::memset(memory->data(), 1, memory->size());
  }
  EXPECT_LT(ResidentBytes(), before + 16 * kMiB);
}
#endif

TEST(MemoryTest, AvailableMemoryIsPlausible) {
  EXPECT_GT(AvailableMemory().bytes, 1 * kMiB);
  EXPECT_LT(AvailableMemory().bytes, uint64_t{1} << 50);
}

}  // namespace
}  // namespace flashmoe
