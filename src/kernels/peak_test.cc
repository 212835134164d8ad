#include "kernels/peak.h"

#include <gtest/gtest.h>

namespace flashmoe {
namespace {

TEST(Peak, LoopsCountWhatTheyMultiply) {
  for (const KernelTable* table : AvailableKernels()) {
    const PeakLoops loops = PeakLoopsOf(*table);
    for (const PeakLoop& loop : {loops.integers, loops.floats}) {
      ASSERT_EQ(loop.instruction.empty(), loop.run == nullptr) << table->name;
      EXPECT_EQ(loop.run == nullptr, table == &ScalarKernels()) << table->name;
      if (loop.run == nullptr) continue;
      const int64_t once = loop.run(1);
      EXPECT_GT(once, 0) << table->name;
      EXPECT_EQ(loop.run(0), 0) << table->name;
      EXPECT_EQ(loop.run(1000), 1000 * once) << table->name;
    }
    // What a loop of integers is for.
    if (loops.integers.run != nullptr) {
      EXPECT_GT(loops.integers.run(1), loops.floats.run(1)) << table->name;
    }
  }
}

}  // namespace
}  // namespace flashmoe
