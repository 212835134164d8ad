#include "kernels/ref/dequantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "tensor/half.h"

namespace flashmoe::ref {
namespace {

using ::testing::ElementsAre;

std::string ReadFile(const std::string& name) {
  std::ifstream file(std::string(FLASHMOE_TEST_DATA) + "/quant/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// One row over `bytes`, which start at an odd address so that no decoder can rely on alignment.
struct Row {
  Row(DType type, const std::string& bytes) : storage("?" + bytes) {
    const DTypeInfo& info = GetInfo(type);
    matrix.type = type;
    matrix.rows = 1;
    matrix.cols = static_cast<int64_t>(bytes.size()) / info.block_bytes * info.block_elements;
    matrix.data = reinterpret_cast<const std::byte*>(storage.data() + 1);
    matrix.row_bytes = static_cast<int64_t>(bytes.size());
  }
  std::vector<float> Dequantize() const {
    std::vector<float> out(static_cast<size_t>(matrix.cols));
    DequantizeRow(matrix, 0, out.data());
    return out;
  }

  std::string storage;
  Matrix matrix;
};

// Blocks of random bits against what ggml's own Python decoder makes of them, to the bit.
TEST(DequantizeTest, EveryTypeOfTheVectorsAgreesToTheBit) {
  const auto manifest = nlohmann::json::parse(ReadFile("manifest.json"));
  ASSERT_EQ(manifest["types"].size(), 23u);
  for (const auto& entry : manifest["types"]) {
    const std::string name = entry["type"];
    SCOPED_TRACE(name);
    const std::optional<DType> type = DTypeFromName(name);
    ASSERT_TRUE(type.has_value());
    ASSERT_EQ(GetInfo(*type).block_elements, entry["block_elements"]);
    ASSERT_EQ(GetInfo(*type).block_bytes, entry["block_bytes"]);

    const Row row(*type, ReadFile(entry["blocks_file"]));
    const std::string values = ReadFile(entry["values_file"]);
    const std::vector<float> got = row.Dequantize();
    ASSERT_EQ(values.size(), got.size() * sizeof(float));
    ASSERT_GT(got.size(), 0u);
    for (size_t i = 0; i < got.size(); ++i) {
      float want;
      std::memcpy(&want, values.data() + i * sizeof(float), sizeof(want));
      ASSERT_EQ(BitsFromFloat(got[i]), BitsFromFloat(want))
          << "element " << i << ": " << got[i] << " instead of " << want;
    }
  }
}

TEST(DequantizeTest, SpansAreTheSameNumbersAsTheRow) {
  for (int t = 0; t < kDTypeCount; ++t) {
    const DType type = static_cast<DType>(t);
    if (MlxBits(type) != 0) continue;
    SCOPED_TRACE(GetInfo(type).name);
    const int64_t cols = 1024;
    std::mt19937 rng(static_cast<unsigned>(t));
    std::string bytes(static_cast<size_t>(RowBytes(type, cols)), '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng());
    const Row row(type, bytes);
    const std::vector<float> whole = row.Dequantize();
    std::vector<float> pieces(whole.size());
    for (int64_t begin = 0; begin < cols; begin += kPieceElements) {
      DequantizeSpan(row.matrix, 0, begin, kPieceElements, pieces.data() + begin);
    }
    EXPECT_EQ(std::memcmp(whole.data(), pieces.data(), whole.size() * sizeof(float)), 0);
  }
}

TEST(DequantizeTest, PlainTypesConvertValueByValue) {
  const auto bytes = [](auto... values) {
    std::string out;
    (out.append(reinterpret_cast<const char*>(&values), sizeof(values)), ...);
    return out;
  };
  EXPECT_THAT(Row(DType::kF32, bytes(1.5f, -2.25f)).Dequantize(), ElementsAre(1.5f, -2.25f));
  EXPECT_THAT(Row(DType::kF64, bytes(1.5, -0.125)).Dequantize(), ElementsAre(1.5f, -0.125f));
  EXPECT_THAT(Row(DType::kF16, bytes(uint16_t{0x3c00}, uint16_t{0xc000})).Dequantize(),
              ElementsAre(1.0f, -2.0f));
  EXPECT_THAT(Row(DType::kBF16, bytes(uint16_t{0x3f80}, uint16_t{0xc040})).Dequantize(),
              ElementsAre(1.0f, -3.0f));
  EXPECT_THAT(Row(DType::kI8, bytes(int8_t{-128}, int8_t{5})).Dequantize(), ElementsAre(-128, 5));
  EXPECT_THAT(Row(DType::kI16, bytes(int16_t{-300})).Dequantize(), ElementsAre(-300));
  EXPECT_THAT(Row(DType::kI32, bytes(int32_t{70000})).Dequantize(), ElementsAre(70000));
  EXPECT_THAT(Row(DType::kI64, bytes(int64_t{-70000})).Dequantize(), ElementsAre(-70000));
}

TEST(DequantizeTest, OneAndTwoBitBlocks) {
  std::string one = {'\x00', '\x40'};  // d = 2
  one.append(16, '\0');
  one[2] = '\x05';
  one[17] = '\x80';
  std::vector<float> got = Row(DType::kQ1_0, one).Dequantize();
  ASSERT_EQ(got.size(), 128u);
  for (size_t i = 0; i < 128; ++i) {
    EXPECT_EQ(got[i], i == 0 || i == 2 || i == 127 ? 2.0f : -2.0f) << i;
  }

  std::string two = {'\x00', '\x40'};
  two.append(16, '\xe4');  // 3, 2, 1, 0 from the top
  got = Row(DType::kQ2_0, two).Dequantize();
  ASSERT_EQ(got.size(), 64u);
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(got[i], 2.0f * (static_cast<float>(i % 4) - 1)) << i;
}

// Scales of all bit patterns, NaN and infinity among them, are numbers like any other.
TEST(DequantizeTest, HostileScalesDoNotCrash) {
  for (int t = 0; t < kDTypeCount; ++t) {
    const DType type = static_cast<DType>(t);
    if (MlxBits(type) != 0) continue;
    for (const char fill : {'\xff', '\x7f', '\x7c', '\xfc', '\x00'}) {
      const Row row(type, std::string(static_cast<size_t>(GetInfo(type).block_bytes) * 4, fill));
      EXPECT_EQ(row.Dequantize().size(), static_cast<size_t>(GetInfo(type).block_elements) * 4);
    }
  }
}

// --- MLX ---

struct MlxCase {
  DType type;
  int32_t group;
  DType scale_type;
};

class MlxTest : public ::testing::TestWithParam<MlxCase> {};

void AppendScale(float value, DType type, std::string* out) {
  if (type == DType::kF32) {
    out->append(reinterpret_cast<const char*>(&value), 4);
    return;
  }
  const uint16_t half = type == DType::kBF16 ? F32ToBf16(value) : F32ToF16(value);
  out->append(reinterpret_cast<const char*>(&half), 2);
}

// Packs as MLX does: words of 32 bits from the low end; six bits as four elements in three bytes.
std::string PackMlx(const std::vector<uint32_t>& q, int bits) {
  std::string out = "?";  // an odd address
  const size_t per_pack = bits == 6 ? 4 : static_cast<size_t>(32 / bits);
  const size_t bytes = bits == 6 ? 3 : 4;
  for (size_t i = 0; i < q.size(); i += per_pack) {
    uint32_t word = 0;
    for (size_t j = 0; j < per_pack; ++j) word |= q[i + j] << (static_cast<size_t>(bits) * j);
    out.append(reinterpret_cast<const char*>(&word), bytes);
  }
  return out;
}

TEST_P(MlxTest, AffineGroups) {
  const MlxCase& param = GetParam();
  const int bits = MlxBits(param.type);
  const int64_t rows = 3, cols = 384;
  std::mt19937 rng(7);
  std::vector<uint32_t> q(static_cast<size_t>(rows * cols));
  for (uint32_t& value : q) value = static_cast<uint32_t>(rng()) & ((1u << bits) - 1);
  std::string scales = "?", biases = "?";
  std::vector<float> scale, bias;
  for (int64_t i = 0; i < rows * cols / param.group; ++i) {
    scale.push_back(static_cast<float>(i + 1) * 0.125f);
    bias.push_back(static_cast<float>(i) * -0.5f);
    AppendScale(scale.back(), param.scale_type, &scales);
    AppendScale(bias.back(), param.scale_type, &biases);
  }
  const std::string data = PackMlx(q, bits);
  Matrix m;
  m.type = param.type;
  m.rows = rows;
  m.cols = cols;
  m.row_bytes = RowBytes(param.type, cols);
  m.data = reinterpret_cast<const std::byte*>(data.data() + 1);
  m.scales = reinterpret_cast<const std::byte*>(scales.data() + 1);
  m.biases = reinterpret_cast<const std::byte*>(biases.data() + 1);
  m.group = param.group;
  m.scale_type = param.scale_type;

  std::vector<float> got(static_cast<size_t>(cols)), piece(got.size());
  const Matrix last = SliceRows(m, 2, 1);
  for (int64_t row = 0; row < rows; ++row) {
    DequantizeRow(m, row, got.data());
    for (int64_t c = 0; c < cols; ++c) {
      const size_t i = static_cast<size_t>(row * cols + c);
      const size_t g = i / static_cast<size_t>(param.group);
      ASSERT_EQ(got[static_cast<size_t>(c)], scale[g] * static_cast<float>(q[i]) + bias[g]) << i;
    }
  }
  for (int64_t c = 0; c < cols; c += 32) DequantizeSpan(last, 0, c, 32, piece.data() + c);
  EXPECT_EQ(piece, got);
}

INSTANTIATE_TEST_SUITE_P(WidthsAndGroups, MlxTest,
                         ::testing::Values(MlxCase{DType::kMlx2, 32, DType::kBF16},
                                           MlxCase{DType::kMlx2, 128, DType::kF16},
                                           MlxCase{DType::kMlx4, 64, DType::kBF16},
                                           MlxCase{DType::kMlx4, 32, DType::kF32},
                                           MlxCase{DType::kMlx6, 64, DType::kF16},
                                           MlxCase{DType::kMlx6, 128, DType::kBF16},
                                           MlxCase{DType::kMlx8, 64, DType::kF32},
                                           MlxCase{DType::kMlx8, 32, DType::kF16}),
                         [](const auto& instance) {
                           return std::string(GetInfo(instance.param.type).name) + "_" +
                                  std::to_string(instance.param.group) + "_" +
                                  std::string(GetInfo(instance.param.scale_type).name);
                         });

}  // namespace
}  // namespace flashmoe::ref
