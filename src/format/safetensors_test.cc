#include "format/safetensors.h"

#include <gmock/gmock.h>

#include "format/safetensors_writer.h"
#include "format/test_support.h"

namespace flashmoe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<SafetensorsPart> Parse(std::string_view file) {
  return ParseSafetensors(MemorySource("m.safetensors", BytesOf(file)));
}

// A file with this header and `data` bytes behind it.
std::string FileWith(std::string_view header, size_t data) {
  const uint64_t bytes = header.size();
  std::string file(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  return file.append(header).append(data, 'd');
}

std::string ErrorFor(std::string_view header, size_t data = 64) {
  return ErrorOf(Parse(FileWith(header, data)));
}

std::string SmallFile() {
  SafetensorsWriter writer;
  writer.AddTensor("a", "BF16", {2, 3}, Ramp(12));
  writer.AddTensor("b.packed", "U32", {4}, Ramp(16));
  writer.AddTensor("scalar", "F32", {}, Ramp(4));
  return writer.ToString();
}

TEST(Safetensors, TensorsInPlace) {
  const std::string file = SmallFile();
  const auto part = Parse(file);
  ASSERT_TRUE(part.has_value()) << ErrorOf(part);
  ASSERT_EQ(part->tensors.size(), 3u);
  EXPECT_EQ(part->tensors[0].name, "a");
  EXPECT_EQ(part->tensors[0].type, DType::kBF16);
  EXPECT_THAT(part->tensors[0].shape, ElementsAre(2, 3));
  EXPECT_EQ(part->tensors[1].type, DType::kI32);
  EXPECT_EQ(part->tensors[1].offset, part->tensors[0].offset + 12);
  EXPECT_EQ(part->tensors[1].bytes, 16u);
  EXPECT_THAT(part->tensors[2].shape, ElementsAre(1));
  EXPECT_EQ(part->tensors[2].offset + 4, file.size());
}

TEST(Safetensors, EveryType) {
  const std::vector<std::tuple<const char*, DType, size_t>> types = {
      {"F64", DType::kF64, 8},   {"F32", DType::kF32, 4}, {"F16", DType::kF16, 2},
      {"BF16", DType::kBF16, 2}, {"I64", DType::kI64, 8}, {"U64", DType::kI64, 8},
      {"I32", DType::kI32, 4},   {"U32", DType::kI32, 4}, {"I16", DType::kI16, 2},
      {"U16", DType::kI16, 2},   {"I8", DType::kI8, 1},   {"U8", DType::kI8, 1},
      {"BOOL", DType::kI8, 1}};
  for (const auto& [name, type, bytes] : types) {
    SafetensorsWriter writer;
    writer.AddTensor("t", name, {3}, Ramp(3 * bytes));
    const auto part = Parse(writer.ToString());
    ASSERT_TRUE(part.has_value()) << name << ": " << ErrorOf(part);
    EXPECT_EQ(part->tensors[0].type, type) << name;
  }
}

TEST(Safetensors, SkipsWhatItCannotUseAndSaysWhy) {
  SafetensorsWriter writer;
  writer.AddTensor("fp8", "F8_E4M3", {4}, Ramp(4));
  writer.AddTensor("good", "F32", {1}, Ramp(4));
  writer.AddTensor("empty", "F32", {0, 4}, {});
  const auto part = Parse(writer.ToString());
  ASSERT_TRUE(part.has_value()) << ErrorOf(part);
  ASSERT_EQ(part->tensors.size(), 1u);
  EXPECT_EQ(part->tensors[0].name, "good");
  ASSERT_EQ(part->skipped.size(), 2u);
  EXPECT_EQ(part->skipped[0].name, "fp8");
  EXPECT_EQ(part->skipped[0].reason, "type \"F8_E4M3\" is not supported");
  EXPECT_EQ(part->skipped[1].reason, "it has no elements");
}

TEST(Safetensors, AnyOrderOfFieldsAndMetadata) {
  EXPECT_EQ(ErrorFor(R"({"__metadata__":{"format":"pt","x":""},)"
                     R"("b":{"data_offsets":[4,8],"shape":[1],"dtype":"F32"},)"
                     R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}   )"),
            "");
  EXPECT_EQ(ErrorFor("{}"), "");
}

TEST(Safetensors, EveryTruncationIsAnError) {
  const std::string file = SmallFile();
  ASSERT_TRUE(Parse(file).has_value());
  for (size_t size = 0; size < file.size(); ++size) {
    ASSERT_FALSE(Parse(std::string_view(file).substr(0, size)).has_value()) << size;
  }
  EXPECT_THAT(ErrorOf(Parse(std::string_view(file).substr(0, file.size() - 1))),
              HasSubstr("truncated: tensor \"scalar\" ends at byte"));
}

TEST(Safetensors, FlippedBitsNeverCrashAndKeepTheContract) {
  std::string file = SmallFile();
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    file[bit / 8] ^= static_cast<char>(1 << bit % 8);
    if (const auto part = Parse(file); part.has_value()) {
      for (const TensorInfo& tensor : part->tensors) {
        ASSERT_LE(tensor.offset + tensor.bytes, file.size());
        ASSERT_GT(tensor.elements(), 0);
      }
    }
    file[bit / 8] ^= static_cast<char>(1 << bit % 8);
  }
}

TEST(Safetensors, HostileHeaders) {
  std::string huge(16, '\xFF');
  EXPECT_THAT(ErrorOf(Parse(huge)), HasSubstr("a header of 18446744073709551615 bytes"));
  EXPECT_THAT(ErrorFor(""), HasSubstr("malformed JSON"));
  EXPECT_THAT(ErrorFor("[]"), HasSubstr("array is not expected"));
  EXPECT_THAT(ErrorFor("17"), HasSubstr("number is not expected"));
  EXPECT_THAT(ErrorFor("null"), HasSubstr("null is not expected"));
  EXPECT_THAT(ErrorFor(R"({"a":1})"), HasSubstr("number is not expected"));
  EXPECT_THAT(ErrorFor(R"({"a":[1]})"), HasSubstr("array is not expected"));
  EXPECT_THAT(ErrorFor(R"({"a":{"b":{}}})"), HasSubstr("unknown field \"b\""));
  EXPECT_THAT(ErrorFor(R"({"__metadata__":{"a":[1]}})"), HasSubstr("array is not expected"));
  EXPECT_THAT(ErrorFor(R"({"__metadata__":{"a":{}}})"), HasSubstr("object is not expected"));
  EXPECT_THAT(ErrorFor("{\"a\":" + std::string(100'000, '[')), HasSubstr("array is not expected"));
}

TEST(Safetensors, HostileTensors) {
  const auto one = [](std::string_view dtype, std::string_view shape, std::string_view offsets) {
    return ErrorFor(fmt::format(R"({{"a":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype,
                                shape, offsets));
  };
  EXPECT_EQ(one("F32", "[2,2]", "[0,16]"), "");
  EXPECT_THAT(one("F32", "[2,2]", "[0,12]"),
              HasSubstr("has 12 bytes, but its type and shape need 16"));
  EXPECT_THAT(one("F32", "[2,2]", "[16,0]"), HasSubstr("data_offsets [16, 0]"));
  EXPECT_THAT(one("F32", "[2,2]", "[0,16,32]"), HasSubstr("number is not expected"));
  EXPECT_THAT(one("F32", "[2,2]", "[0]"), HasSubstr("not two numbers"));
  EXPECT_THAT(one("F32", "[2,2]", "[-4,12]"), HasSubstr("number is not expected"));
  EXPECT_THAT(one("F32", "[2,2.0]", "[0,16]"), HasSubstr("number is not expected"));
  EXPECT_THAT(one("F32", "[2,[2]]", "[0,16]"), HasSubstr("array is not expected"));
  EXPECT_THAT(one("F32", "[2,-2]", "[0,16]"), HasSubstr("number is not expected"));
  EXPECT_THAT(one("F32", "[0,2]", "[0,16]"), HasSubstr("not positive"));
  EXPECT_THAT(one("F32", "[4294967296,4294967296]", "[0,16]"), HasSubstr("absurdly large"));
  EXPECT_THAT(one("F32", "[18446744073709551615]", "[0,16]"), HasSubstr("absurd shape"));
  EXPECT_THAT(one("F32", "[1,1,1,1,1,1,1,1,4]", "[0,16]"), HasSubstr("absurd shape"));
  EXPECT_THAT(one("F32", "[16]", "[4,68]"), HasSubstr("truncated: tensor \"a\""));
  EXPECT_THAT(one("F8_E4M3", "[99]", "[0,99]"), HasSubstr("truncated: tensor \"a\""));
  EXPECT_THAT(one("F32", "[1]", "[18446744073709551611,18446744073709551615]"),
              HasSubstr("data_offsets"));
}

TEST(Safetensors, TensorsMayNotShareNamesOrBytes) {
  const std::string a = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const std::string b = R"({"dtype":"F32","shape":[2],"data_offsets":[4,12]})";
  EXPECT_THAT(ErrorFor(fmt::format(R"({{"a":{},"b":{}}})", a, b)),
              HasSubstr("\"a\" and \"b\" overlap"));
  EXPECT_THAT(ErrorFor(fmt::format(R"({{"a":{},"a":{}}})", a, b)), HasSubstr("there twice"));
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}})"),
              HasSubstr("\"shape\" is there twice"));
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":"F32","shape":[1]}})"), HasSubstr("lacks dtype, shape or"));
  EXPECT_THAT(ErrorFor(R"({"":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})"),
              HasSubstr("without a name"));
}

}  // namespace
}  // namespace flashmoe
