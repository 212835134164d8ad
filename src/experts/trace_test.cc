#include "experts/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "base/test_path.h"

namespace flashmoe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

RoutingTrace RandomTrace(uint32_t experts) {
  RoutingTrace trace{2, 3, 4, 2, experts, {}};
  std::mt19937 random(experts);
  for (int choice = 0; choice < 2 * 3 * 4; ++choice) {
    const auto first = static_cast<uint16_t>(random() % experts);
    trace.ids.push_back(first);
    trace.ids.push_back(static_cast<uint16_t>((first + 1 + random() % (experts - 1)) % experts));
  }
  return trace;
}

Result<RoutingTrace> Parse(std::span<const std::byte> bytes) {
  return ParseTrace(MemorySource("t.bin", bytes));
}

void Set(std::vector<std::byte>& bytes, size_t field, uint32_t value) {
  std::memcpy(bytes.data() + 8 + 4 * field, &value, sizeof value);
}

std::string Problem(std::span<const std::byte> bytes) {
  const auto trace = Parse(bytes);
  return trace.has_value() ? "" : trace.error().ToString();
}

TEST(TraceTest, WritesWhatItReads) {
  for (const uint32_t experts : {2u, 256u, 257u, 65536u}) {
    const RoutingTrace trace = RandomTrace(experts);
    const std::vector<std::byte> bytes = TraceBytes(trace);
    EXPECT_EQ(bytes.size(), 32 + trace.ids.size() * (experts > 256 ? 2 : 1));
    const auto read = Parse(bytes);
    ASSERT_TRUE(read.has_value()) << read.error().ToString();
    EXPECT_EQ(read->ids, trace.ids);
    EXPECT_EQ(read->sequences, 2u);
    EXPECT_EQ(read->experts, experts);
    EXPECT_THAT(read->Chosen(1, 2, 3), ElementsAre(trace.ids[46], trace.ids[47]));
  }
}

TEST(TraceTest, GoesThroughAFile) {
  const std::string path = TestPath("trace.bin");
  const RoutingTrace trace = RandomTrace(300);
  ASSERT_TRUE(WriteTrace(trace, path).has_value());
  const auto read = ReadTrace(path);
  ASSERT_TRUE(read.has_value()) << read.error().ToString();
  EXPECT_EQ(read->ids, trace.ids);
  std::filesystem::remove(path);
  EXPECT_FALSE(ReadTrace(path).has_value());
}

TEST(TraceTest, RefusesWhatIsNoTrace) {
  std::vector<std::byte> bytes = TraceBytes(RandomTrace(8));
  EXPECT_THAT(Problem({}), HasSubstr("too short"));
  EXPECT_THAT(Problem(std::span(bytes).first(31)), HasSubstr("too short"));
  EXPECT_THAT(Problem(std::span(bytes).first(bytes.size() - 1)), HasSubstr("bytes instead of"));
  bytes.push_back({});
  EXPECT_THAT(Problem(bytes), HasSubstr("81 bytes instead of 80"));
  bytes[0] = std::byte{'m'};
  EXPECT_THAT(Problem(bytes), HasSubstr("does not begin with MOETRACE"));
}

TEST(TraceTest, RefusesSizesThatCannotBe) {
  const auto with = [](size_t field, uint32_t value) {
    std::vector<std::byte> bytes = TraceBytes(RandomTrace(8));
    Set(bytes, field, value);
    return Problem(bytes);
  };
  EXPECT_THAT(with(0, 3), HasSubstr("version 3"));
  EXPECT_THAT(with(0, 2), HasSubstr("bytes instead of"));
  for (const size_t field : {1u, 2u, 3u, 4u}) EXPECT_THAT(with(field, 0), HasSubstr("no routing"));
  EXPECT_THAT(with(1, 0xffffffff), HasSubstr("too much"));
  EXPECT_THAT(with(2, 0xffffffff), HasSubstr("too much"));
  EXPECT_THAT(with(3, 0xffffffff), HasSubstr("too many experts"));
  EXPECT_THAT(with(4, 9), HasSubstr("more choices than experts"));
  EXPECT_THAT(with(5, 0xffffffff), HasSubstr("too many experts"));
  EXPECT_THAT(with(5, 65537), HasSubstr("too many experts"));
}

TEST(TraceTest, RefusesIdsThatCannotBe) {
  std::vector<std::byte> bytes = TraceBytes(RandomTrace(8));
  bytes[40] = std::byte{8};
  EXPECT_THAT(Problem(bytes), HasSubstr("expert 8 of 8 (id 8)"));
  bytes[40] = bytes[41];
  EXPECT_THAT(Problem(bytes), HasSubstr("chosen twice"));
  RoutingTrace trace = RandomTrace(8);
  trace.ids.pop_back();
  EXPECT_FALSE(WriteTrace(trace, TestPath("never.bin")).has_value());
  EXPECT_FALSE(std::filesystem::exists(TestPath("never.bin")));
}

}  // namespace
}  // namespace flashmoe
