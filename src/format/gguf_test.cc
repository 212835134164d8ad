#include "format/gguf.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "format/gguf_writer.h"
#include "format/test_support.h"

namespace flashmoe {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint32_t kU8 = 0, kU32 = 4, kI32 = 5, kString = 8, kArray = 9;

Result<GgufPart> Parse(std::string_view file) {
  return ParseGguf(MemorySource("f.gguf", BytesOf(file)));
}
std::string ErrorFor(std::string_view file) { return ErrorOf(Parse(file)); }

// A file with something of everything.
std::string SmallFile() {
  GgufWriter writer;
  writer.Add("general.architecture", "qwen35moe");
  writer.Add("list", std::vector<std::string>{"a", "", "ccc"});
  writer.Add("count", uint32_t{7});
  writer.AddTensor("norm", DType::kF32, {3}, Ramp(12));
  writer.AddTensor("experts", DType::kQ8_0, {2, 3, 64}, Ramp(2 * 3 * 68));
  writer.AddTensor("last", DType::kF16, {1, 5}, Ramp(10));
  return writer.ToString().value();
}

TEST(Gguf, MetadataOfEveryType) {
  GgufWriter writer;
  writer.Add("u8", std::numeric_limits<uint8_t>::max());
  writer.Add("i8", std::numeric_limits<int8_t>::min());
  writer.Add("u16", std::numeric_limits<uint16_t>::max());
  writer.Add("i16", std::numeric_limits<int16_t>::min());
  writer.Add("u32", std::numeric_limits<uint32_t>::max());
  writer.Add("i32", std::numeric_limits<int32_t>::min());
  writer.Add("u64", std::numeric_limits<uint64_t>::max());
  writer.Add("i64", std::numeric_limits<int64_t>::min());
  writer.Add("f32", 1.5f);
  writer.Add("f64", 0.1);
  writer.Add("yes", true);
  writer.Add("no", false);
  writer.Add("text", "é\n");
  writer.Add("nan", std::numeric_limits<float>::quiet_NaN());
  writer.Add("infinity", std::numeric_limits<double>::infinity());
  writer.Add("empty", std::vector<int32_t>{});
  writer.Add("ints", std::vector<int32_t>{1, -2});
  writer.Add("bytes", std::vector<uint8_t>{0, 255});
  writer.Add("flags", std::vector<bool>{true, false});
  writer.Add("floats", std::vector<float>{0.5f, -1.0f});
  writer.Add("texts", std::vector<std::string>{"Ġthe", ""});

  const auto part = Parse(writer.ToString().value());
  ASSERT_TRUE(part.has_value()) << ErrorOf(part);
  EXPECT_TRUE(part->tensors.empty());
  EXPECT_TRUE(std::isnan(part->metadata["nan"].get<double>()));
  EXPECT_EQ(part->metadata.dump(),
            R"({"bytes":[0,255],"empty":[],"f32":1.5,"f64":0.1,"flags":[true,false],)"
            R"("floats":[0.5,-1.0],"i16":-32768,"i32":-2147483648,"i64":-9223372036854775808,)"
            R"("i8":-128,"infinity":null,"ints":[1,-2],"nan":null,"no":false,"text":"é\n",)"
            R"("texts":["Ġthe",""],"u16":65535,"u32":4294967295,"u64":18446744073709551615,)"
            R"("u8":255,"yes":true})");
}

TEST(Gguf, TensorsInPlace) {
  const std::string file = SmallFile();
  const auto part = Parse(file);
  ASSERT_TRUE(part.has_value()) << ErrorOf(part);
  ASSERT_EQ(part->tensors.size(), 3u);
  const TensorInfo& experts = part->tensors[1];
  EXPECT_EQ(experts.name, "experts");
  EXPECT_EQ(experts.type, DType::kQ8_0);
  EXPECT_THAT(experts.shape, ElementsAre(2, 3, 64));
  EXPECT_EQ(experts.bytes, 2u * 3 * 68);
  EXPECT_EQ(experts.offset % 32, 0u);
  EXPECT_EQ(experts.offset, part->tensors[0].offset + 32);
  EXPECT_EQ(file[experts.offset + 67], 67);
  EXPECT_THAT(part->tensors[2].shape, ElementsAre(1, 5));  // ones are kept
}

TEST(Gguf, OtherVersions) {
  EXPECT_EQ(ErrorFor(RawGguf(0, 0, 2).Finish()), "");
  EXPECT_THAT(ErrorFor(RawGguf(0, 0, 1).Finish()), HasSubstr("GGUF version 1"));
  EXPECT_THAT(ErrorFor(RawGguf(0, 0, 4).Finish()), HasSubstr("GGUF version 4"));
  EXPECT_THAT(ErrorFor(RawGguf(0, 0, 0x03000000).Finish()), HasSubstr("big-endian"));
}

TEST(Gguf, AlignmentIsHonoured) {
  GgufWriter writer;
  writer.SetAlignment(4096);
  writer.AddTensor("a", DType::kI8, {5}, Ramp(5));
  writer.AddTensor("b", DType::kI8, {5}, Ramp(5));
  const auto part = Parse(writer.ToString().value());
  ASSERT_TRUE(part.has_value()) << ErrorOf(part);
  EXPECT_EQ(part->tensors[0].offset, 4096u);
  EXPECT_EQ(part->tensors[1].offset, 8192u);

  for (const uint32_t bad : {0u, 24u, 1u << 21, 0xFFFFFFFFu}) {
    const auto file = RawGguf(0, 1).Text("general.alignment").Put(kU32).Put(bad).Finish();
    EXPECT_THAT(ErrorFor(file), HasSubstr("general.alignment is not a power of two")) << bad;
  }
  EXPECT_THAT(ErrorFor(RawGguf(0, 1).Text("general.alignment").Put(kString).Text("32").Finish()),
              HasSubstr("general.alignment"));
  EXPECT_EQ(ErrorFor(RawGguf(0, 1).Text("general.alignment").Put(kI32).Put(64).Finish()), "");
  EXPECT_THAT(ErrorFor(RawGguf(1, 0).Tensor("a", {4}, 0, 16).Finish(64)),
              HasSubstr("not a multiple of the alignment 32"));
}

TEST(Gguf, EveryTruncationIsAnError) {
  const std::string file = SmallFile();
  const auto whole = Parse(file);
  ASSERT_TRUE(whole.has_value());
  const TensorInfo& last = whole->tensors.back();
  for (size_t size = 0; size < last.offset + last.bytes; ++size) {
    const std::string error = ErrorFor(std::string_view(file).substr(0, size));
    ASSERT_NE(error, "") << size;
    if (size > 200) {
      ASSERT_THAT(error, HasSubstr("download")) << size;
    }
  }
  // What is missing behind the last tensor is padding.
  EXPECT_EQ(ErrorFor(std::string_view(file).substr(0, last.offset + last.bytes)), "");
  EXPECT_THAT(ErrorFor(std::string_view(file).substr(0, last.offset + 1)),
              HasSubstr("truncated: tensor \"last\" ends at byte"));
}

TEST(Gguf, FlippedBitsNeverCrashAndKeepTheContract) {
  std::string file = SmallFile();
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    file[bit / 8] ^= static_cast<char>(1 << bit % 8);
    if (const auto part = Parse(file); part.has_value()) {
      for (const TensorInfo& tensor : part->tensors) {
        ASSERT_LE(tensor.offset + tensor.bytes, file.size());
        ASSERT_GT(tensor.elements(), 0);
      }
      part->metadata.dump();
    }
    file[bit / 8] ^= static_cast<char>(1 << bit % 8);
  }
}

TEST(Gguf, CountsBeyondTheFile) {
  EXPECT_THAT(ErrorFor(RawGguf(uint64_t{1} << 60, 0).Finish()), HasSubstr("promises"));
  EXPECT_THAT(ErrorFor(RawGguf(0, UINT64_MAX).Finish()), HasSubstr("promises"));
  EXPECT_THAT(ErrorFor(RawGguf(2, 0).Tensor("a", {4}, 0, 0).Finish()), HasSubstr("promises"));
  EXPECT_THAT(ErrorFor(RawGguf(0, 1).Put<uint64_t>(UINT64_MAX).Put<uint64_t>(0).Finish()),
              HasSubstr("a string of 18446744073709551615 bytes"));
  EXPECT_THAT(ErrorFor(RawGguf(0, 1).Text("k").Put(kString).Put<uint64_t>(1000).Finish()),
              AllOf(HasSubstr("metadata key \"k\""), HasSubstr("truncated")));
  for (const uint64_t count : {uint64_t{1000}, UINT64_MAX, UINT64_MAX / 8}) {
    for (const uint32_t type : {kU8, kU32, kString}) {
      EXPECT_THAT(ErrorFor(RawGguf(0, 1).Text("k").Put(kArray).Put(type).Put(count).Finish()),
                  HasSubstr("goes beyond the end"));
    }
  }
}

TEST(Gguf, MetadataIsBounded) {
  const uint64_t count = 5'000'000;
  auto file = RawGguf(0, 1).Text("k").Put(kArray).Put(kU8).Put(count).Finish(count);
  EXPECT_THAT(ErrorFor(file), HasSubstr("values of metadata are the most"));
}

TEST(Gguf, HostileMetadata) {
  EXPECT_THAT(
      ErrorFor(RawGguf(0, 2).Text("k").Put(kU8).Put('x').Text("k").Put(kU8).Put('x').Finish()),
      HasSubstr("\"k\" is there twice"));
  EXPECT_THAT(ErrorFor(RawGguf(0, 1).Text("").Put(kU8).Put('x').Finish()),
              HasSubstr("without a name"));
  EXPECT_THAT(ErrorFor(RawGguf(0, 1).Text("\xFFk").Put(kU8).Put('x').Finish()),
              HasSubstr("\"\\xffk\" is not valid UTF-8"));
  EXPECT_THAT(ErrorFor(RawGguf(0, 1).Text("k").Put<uint32_t>(13).Finish()),
              HasSubstr("unknown value type 13"));
  EXPECT_THAT(
      ErrorFor(RawGguf(0, 1).Text("k").Put(kArray).Put<uint32_t>(99).Put<uint64_t>(0).Finish()),
      HasSubstr("unknown value type 99"));
  EXPECT_THAT(ErrorFor(RawGguf(0, 1).Text("k").Put(kArray).Put(kArray).Put<uint64_t>(1).Finish(64)),
              HasSubstr("array of arrays"));
}

TEST(Gguf, BadTextInValuesIsReplaced) {
  const auto part = Parse(RawGguf(0, 1).Text("k").Put(kString).Text("a\xFF").Finish());
  ASSERT_TRUE(part.has_value()) << ErrorOf(part);
  EXPECT_EQ(part->metadata["k"].dump(), "\"a\xEF\xBF\xBD\"");
}

TEST(Gguf, HostileTensors) {
  const auto one = [](std::string_view name, const std::vector<int64_t>& ne, uint32_t type,
                      uint64_t offset) {
    return ErrorFor(RawGguf(1, 0).Tensor(name, ne, type, offset).Finish(256));
  };
  EXPECT_EQ(one("a", {8, 8}, 0, 0), "");
  EXPECT_THAT(one("", {4}, 0, 0), HasSubstr("without a name"));
  EXPECT_THAT(one("a\xC3", {4}, 0, 0), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(one("a", {}, 0, 0), HasSubstr("0 dimensions"));
  EXPECT_THAT(one("a", {1, 1, 1, 1, 1}, 0, 0), HasSubstr("5 dimensions"));
  EXPECT_THAT(one("a", {4, 0}, 0, 0), HasSubstr("not positive"));
  EXPECT_THAT(one("a", {4, -1}, 0, 0), HasSubstr("not positive"));
  EXPECT_THAT(one("a", {INT64_MAX, INT64_MAX}, 0, 0), HasSubstr("absurdly large"));
  EXPECT_THAT(one("a", {33}, 8, 0), HasSubstr("blocks of 32"));
  EXPECT_THAT(one("a", {4}, 0, uint64_t{1} << 40), HasSubstr("truncated: tensor \"a\""));
  EXPECT_THAT(one("a", {4}, 0, UINT64_MAX - 31), HasSubstr("outside"));
  EXPECT_THAT(one(std::string(2000, 'n'), {4}, 0, 0), HasSubstr("2000 bytes"));

  EXPECT_THAT(ErrorFor(RawGguf(2, 0).Tensor("a", {4}, 0, 0).Tensor("a", {4}, 0, 32).Finish(64)),
              HasSubstr("\"a\" is there twice"));
  EXPECT_THAT(ErrorFor(RawGguf(2, 0).Tensor("a", {9}, 0, 32).Tensor("b", {9}, 0, 0).Finish(128)),
              HasSubstr("\"b\" and \"a\" overlap"));
}

TEST(Gguf, UnknownTensorTypesAreUnsupported) {
  for (const uint32_t type : {4u, 9u, 36u, 1000u}) {
    const auto part = Parse(RawGguf(1, 0).Tensor("blk.0.x", {4}, type, 0).Finish(256));
    ASSERT_FALSE(part.has_value()) << type;
    EXPECT_EQ(part.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(part.error().what,
                HasSubstr(fmt::format("tensor \"blk.0.x\" has the unknown type {}", type)));
  }
}

}  // namespace
}  // namespace flashmoe
