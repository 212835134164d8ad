#include <gmock/gmock.h>

#include "kernels/kernels.h"

namespace flashmoe {
namespace {

using ::testing::HasSubstr;

TEST(Dispatch, ScalarComesFirstAndAutoIsTheLast) {
  const std::vector<const KernelTable*> tables = AvailableKernels();
  ASSERT_FALSE(tables.empty());
  EXPECT_EQ(tables.front(), &ScalarKernels());
  EXPECT_EQ(tables.front()->name, "scalar");
  const auto best = SelectKernels("auto");
  ASSERT_TRUE(best.has_value());
  EXPECT_EQ(*best, tables.back());
}

TEST(Dispatch, EveryAvailableTableCanBeForced) {
  for (const KernelTable* table : AvailableKernels()) {
    const auto selected = SelectKernels(table->name);
    ASSERT_TRUE(selected.has_value()) << table->name;
    EXPECT_EQ(*selected, table);
  }
}

TEST(Dispatch, EveryFunctionOfATableIsThere) {
  for (const KernelTable* t : AvailableKernels()) {
    EXPECT_TRUE(t->activation_format && t->quantize_q8 && t->matmul && t->dequantize_row &&
                t->rms_norm && t->l2_norm && t->silu_mul && t->sigmoid_mul && t->silu_scale &&
                t->axpy && t->axpy_bf16 && t->dot && t->softmax && t->conv4_silu && t->rope &&
                t->store_kv && t->attention && t->delta_step && t->delta_chunk)
        << t->name;
  }
}

TEST(Dispatch, RefusesAnUnknownNameAndListsWhatThereIs) {
  for (const char* name : {"", "AVX2", "neon", "avx1024"}) {
    const auto selected = SelectKernels(name);
    ASSERT_FALSE(selected.has_value()) << name;
    EXPECT_EQ(selected.error().code, ErrorCode::kInvalidInput);
    EXPECT_THAT(selected.error().what, HasSubstr("unknown instruction set '"));
    EXPECT_THAT(selected.error().hint, HasSubstr("auto, scalar"));
  }
}

TEST(Dispatch, SaysWhenThisCpuLacksAKnownSet) {
  for (const char* name : {"avx2", "avx512", "amx"}) {
    const auto selected = SelectKernels(name);
    if (selected.has_value()) continue;
    EXPECT_EQ(selected.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(selected.error().what, HasSubstr("lacks"));
  }
}

}  // namespace
}  // namespace flashmoe
