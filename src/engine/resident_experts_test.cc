#include "engine/resident_experts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/test_path.h"
#include "experts/test_experts.h"
#include "io/sim_reader.h"

namespace flashmoe {
namespace {

using ::testing::HasSubstr;

constexpr Digest kModel = {1, 2}, kOther = {1, 3};

class ResidentExpertsTest : public ::testing::Test {
 protected:
  ~ResidentExpertsTest() override { std::filesystem::remove(path_); }

  std::unique_ptr<ExpertStore> Open(uint64_t slots, const SimOptions& options = {}) {
    auto reader = std::make_unique<SimReader>(*MakeReader({.kind = ReaderKind::kPread}), options);
    auto store = ExpertStore::Create(experts_.Catalog(), {slots, 3}, std::move(reader));
    EXPECT_TRUE(store.has_value());
    return std::move(*store);
  }
  // Layers 0, 2, 3 and 4 have experts.
  void Use(ExpertStore& store, int layer, const std::vector<int>& wanted) {
    auto stream = store.Stream(layer, wanted);
    ASSERT_TRUE(stream.has_value());
    while (*stream->Next()) {
    }
  }

  TestExperts experts_{::testing::TempDir()};
  const std::string path_ = TestPath("resident.experts");
};

TEST_F(ResidentExpertsTest, ANewStoreBeginsWithWhatTheOldOneHad) {
  const auto old = Open(20);
  Use(*old, 0, {1, 5, 7});
  Use(*old, 3, {2});
  ASSERT_TRUE(WriteResidentExperts(path_, kModel, ResidentExperts::Of(*old)).has_value());

  const auto resident = ReadResidentExperts(path_, kModel);
  ASSERT_TRUE(resident.has_value()) << resident.error().ToString();
  EXPECT_EQ(resident->count(), 4u);
  const auto store = Open(20);
  uint64_t last = 0;
  const auto progress = [&](const Progress& p) { last = p.done == p.total ? p.total : 0; };
  ASSERT_TRUE(FetchExperts(*resident, *store, progress, nullptr).has_value());
  EXPECT_GT(last, 0u);
  EXPECT_EQ(store->slots_used(), 4u);
  for (const int expert : {1, 5, 7}) EXPECT_TRUE(store->IsResident(0, expert));
  EXPECT_TRUE(store->IsResident(3, 2));
  EXPECT_FALSE(store->IsResident(2, 1));
}

TEST_F(ResidentExpertsTest, FewerSlotsTakeAPart) {
  const auto old = Open(40);
  for (const int layer : {0, 2, 3, 4}) Use(*old, layer, {0, 1, 2, 3, 4, 5});
  const ResidentExperts resident = ResidentExperts::Of(*old);
  EXPECT_EQ(resident.count(), 24u);
  const auto store = Open(12);
  ASSERT_TRUE(FetchExperts(resident, *store, {}, nullptr).has_value());
  for (const int layer : {0, 2, 3, 4}) EXPECT_TRUE(store->IsResident(layer, 2));
}

TEST_F(ResidentExpertsTest, AFailingDiskIsAnErrorAndLeavesAStoreThatWorks) {
  ResidentExperts resident =
      ResidentExperts::None(experts_.Catalog().layers(), experts_.Catalog().experts());
  resident.Add(0, 1);
  const auto store = Open(20, {.error_rate = 1});
  EXPECT_FALSE(FetchExperts(resident, *store, {}, nullptr).has_value());
  EXPECT_EQ(store->slots_used(), 0u);
}

TEST_F(ResidentExpertsTest, StopsWhenCancelled) {
  ResidentExperts resident =
      ResidentExperts::None(experts_.Catalog().layers(), experts_.Catalog().experts());
  resident.Add(0, 1);
  CancelFlag cancel;
  cancel.Set();
  const auto status = FetchExperts(resident, *Open(20), {}, &cancel);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
}

TEST_F(ResidentExpertsTest, WhatIsDamagedIsNamedAndNotUsed) {
  const auto store = Open(20);
  Use(*store, 0, {1});
  ASSERT_TRUE(WriteResidentExperts(path_, kModel, ResidentExperts::Of(*store)).has_value());
  EXPECT_THAT(ReadResidentExperts(path_, kOther).error().ToString(), HasSubstr("another model"));
  std::ostringstream text;
  text << std::ifstream(path_, std::ios::binary).rdbuf();
  const std::string whole = text.str();
  const auto read = [&](const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return ReadResidentExperts(path_, kModel);
  };
  EXPECT_TRUE(read(whole).has_value());
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string bytes = whole;
    bytes[at] ^= 0x10;
    const auto damaged = read(bytes);
    ASSERT_FALSE(damaged.has_value()) << at;
    EXPECT_THAT(damaged.error().ToString(), HasSubstr(path_));
    ASSERT_FALSE(read(whole.substr(0, at)).has_value()) << at;
  }
  EXPECT_FALSE(read(whole + "x").has_value());
  std::filesystem::remove(path_);
  EXPECT_FALSE(ReadResidentExperts(path_, kModel).has_value());
}

}  // namespace
}  // namespace flashmoe
