#include "measure/machine.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/memory.h"
#include "measure/peak_memory.h"

namespace flashmoe {
namespace {

TEST(MachineTest, KernelsOfEveryKindOfTypeAreTimed) {
  ThreadPool pool(2);
  for (const DType type : {DType::kF32, DType::kBF16, DType::kQ8_0, DType::kQ4_K, DType::kIQ2_XXS,
                           DType::kMXFP4, DType::kMlx4}) {
    SCOPED_TRACE(GetInfo(type).name);
    const auto speed = MeasureKernel(type, 256, 512, *AvailableKernels().back(), pool);
    ASSERT_TRUE(speed.has_value()) << speed.error().ToString();
    EXPECT_EQ(speed->type, type);
    EXPECT_GT(speed->bytes_per_s, 1e7);
    EXPECT_LT(speed->bytes_per_s, 1e13);
    ASSERT_EQ(speed->products_per_s.size(), speed->tokens.size());
    for (const double products : speed->products_per_s) EXPECT_GT(products, 1e7);
  }
}

TEST(MachineTest, ThePeakOfMemoryCanBeginAnew) {
  constexpr uint64_t kBytes = 256 << 20;
  {
    const auto memory = Memory::Allocate(kBytes);
    ASSERT_TRUE(memory.has_value());
    std::memset(memory->data(), 1, kBytes);
  }
  EXPECT_GT(PeakResidentBytes(), kBytes);
  if (ResetPeakResidentBytes()) {
    EXPECT_LT(PeakResidentBytes(), ResidentBytes() + kBytes / 2);
  }
}

}  // namespace
}  // namespace flashmoe
