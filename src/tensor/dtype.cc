#include "tensor/dtype.h"

#include <iterator>

#include "base/check.h"

namespace flashmoe {
namespace {

// In the order of DType.
constexpr DTypeInfo kTable[] = {
    {"F32", 1, 4, 0},        {"F16", 1, 2, 1},       {"BF16", 1, 2, 30},
    {"F64", 1, 8, 28},       {"I8", 1, 1, 24},       {"I16", 1, 2, 25},
    {"I32", 1, 4, 26},       {"I64", 1, 8, 27},      {"Q4_0", 32, 18, 2},
    {"Q4_1", 32, 20, 3},     {"Q5_0", 32, 22, 6},    {"Q5_1", 32, 24, 7},
    {"Q8_0", 32, 34, 8},     {"Q2_K", 256, 84, 10},  {"Q3_K", 256, 110, 11},
    {"Q4_K", 256, 144, 12},  {"Q5_K", 256, 176, 13}, {"Q6_K", 256, 210, 14},
    {"IQ1_S", 256, 50, 19},  {"IQ1_M", 256, 56, 29}, {"IQ2_XXS", 256, 66, 16},
    {"IQ2_XS", 256, 74, 17}, {"IQ2_S", 256, 82, 22}, {"IQ3_XXS", 256, 98, 18},
    {"IQ3_S", 256, 110, 21}, {"IQ4_NL", 32, 18, 20}, {"IQ4_XS", 256, 136, 23},
    {"TQ1_0", 256, 54, 34},  {"TQ2_0", 256, 66, 35}, {"MXFP4", 32, 17, 39},
    {"NVFP4", 64, 36, 40},   {"Q1_0", 128, 18, 41},  {"Q2_0", 64, 18, 42},
    {"MLX2", 32, 8, -1},     {"MLX4", 32, 16, -1},   {"MLX6", 32, 24, -1},
    {"MLX8", 32, 32, -1},
};
static_assert(std::size(kTable) == kDTypeCount);
static_assert(kTable[static_cast<int>(DType::kQ8_0)].name == "Q8_0");
static_assert(kTable[static_cast<int>(DType::kIQ4_XS)].name == "IQ4_XS");
static_assert(kTable[static_cast<int>(DType::kMlx8)].name == "MLX8");

constexpr char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (Upper(a[i]) != Upper(b[i])) return false;
  }
  return true;
}

}  // namespace

const DTypeInfo& GetInfo(DType type) {
  const int index = static_cast<int>(type);
  FM_CHECK(index < kDTypeCount);
  return kTable[index];
}

std::optional<DType> DTypeFromGgml(uint32_t ggml_id) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const int32_t id = kTable[i].ggml_id;
    if (id >= 0 && static_cast<uint32_t>(id) == ggml_id) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::optional<DType> DTypeFromName(std::string_view name) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (EqualsIgnoringCase(name, kTable[i].name)) return static_cast<DType>(i);
  }
  return std::nullopt;
}

int MlxBits(DType type) {
  switch (type) {
    case DType::kMlx2:
      return 2;
    case DType::kMlx4:
      return 4;
    case DType::kMlx6:
      return 6;
    case DType::kMlx8:
      return 8;
    default:
      return 0;
  }
}

int64_t RowBytes(DType type, int64_t elements) {
  const DTypeInfo& info = GetInfo(type);
  FM_CHECK(elements >= 0 && elements % info.block_elements == 0);
  return elements / info.block_elements * info.block_bytes;
}

}  // namespace flashmoe
