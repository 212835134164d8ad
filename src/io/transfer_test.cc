#include "io/transfer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "io/test_file.h"

namespace flashmoe {
namespace {

using ::testing::HasSubstr;

class TransferTest : public ::testing::Test {
 protected:
  TestFile test_{::testing::TempDir(), 100'000};
  alignas(4096) std::byte dest_[40'960];

  ReadRequest Request(uint64_t offset, uint64_t bytes) {
    return {.file = test_.file(), .offset = offset, .bytes = bytes, .dest = dest_, .tag = 7};
  }
  bool HasDirect() const { return test_.file()->direct_fd() >= 0; }
};

TEST_F(TransferTest, BufferedAsksForTheRestUntilAllIsThere) {
  Transfer transfer(Request(5000, 1000), /*direct=*/false);
  EXPECT_EQ(transfer.position(), 5000u);
  EXPECT_EQ(transfer.length(), 1000u);
  EXPECT_EQ(transfer.target(), dest_ + 904);
  EXPECT_FALSE(transfer.Take(1));
  EXPECT_EQ(transfer.position(), 5001u);
  EXPECT_EQ(transfer.length(), 999u);
  EXPECT_EQ(transfer.target(), dest_ + 905);
  EXPECT_TRUE(transfer.Take(999));
  EXPECT_TRUE(transfer.completion().status.has_value());
  EXPECT_EQ(transfer.completion().tag, 7u);
}

TEST_F(TransferTest, DirectCoversWholeBlocksAndStaysAligned) {
  if (!HasDirect()) GTEST_SKIP() << "no O_DIRECT here";
  Transfer transfer(Request(5000, 20'000), /*direct=*/true);
  EXPECT_EQ(transfer.position(), 4096u);
  EXPECT_EQ(transfer.length(), 24'576u);  // up to block 7
  EXPECT_EQ(transfer.target(), dest_);
  // A rest that begins within a block is fetched from the block's start.
  EXPECT_FALSE(transfer.Take(4096 + 512));
  EXPECT_EQ(transfer.position(), 8192u);
  EXPECT_EQ(transfer.target(), dest_ + 4096);
  EXPECT_EQ(transfer.length(), 20'480u);
  EXPECT_TRUE(transfer.direct());
  // The wanted range is there, though not the last block's end.
  EXPECT_TRUE(transfer.Take(25'000 - 8192));
  EXPECT_TRUE(transfer.completion().status.has_value());
}

TEST_F(TransferTest, DirectWithoutProgressGoesOnThroughThePageCache) {
  if (!HasDirect()) GTEST_SKIP() << "no O_DIRECT here";
  Transfer transfer(Request(5000, 20'000), /*direct=*/true);
  EXPECT_FALSE(transfer.Take(512));
  EXPECT_FALSE(transfer.direct());
  EXPECT_EQ(transfer.position(), 5000u);
  EXPECT_EQ(transfer.target(), dest_ + 904);
  EXPECT_EQ(transfer.length(), 20'000u);

  Transfer refused(Request(5000, 20'000), /*direct=*/true);
  EXPECT_FALSE(refused.Take(-EINVAL));
  EXPECT_FALSE(refused.direct());
  EXPECT_TRUE(refused.Take(20'000));
  EXPECT_TRUE(refused.completion().status.has_value());
}

TEST_F(TransferTest, EndOfFileIsAnErrorThatSaysWhere) {
  Transfer transfer(Request(5000, 1000), /*direct=*/false);
  EXPECT_FALSE(transfer.Take(10));
  EXPECT_TRUE(transfer.Take(0));
  const Status status = transfer.completion().status;
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().ToString(), HasSubstr(test_.path() + ", byte 5000"));
  EXPECT_THAT(status.error().ToString(), HasSubstr("ends early, at byte 5010"));
}

TEST_F(TransferTest, TransientErrorsAreRetriedButNotForEver) {
  Transfer transfer(Request(0, 10), /*direct=*/false);
  for (int i = 0; i < 500; ++i) ASSERT_FALSE(transfer.Take(i % 2 == 0 ? -EINTR : -EAGAIN));
  EXPECT_FALSE(transfer.Take(1));
  int count = 0;
  while (!transfer.Take(-EAGAIN)) ASSERT_LT(++count, 100'000);
  EXPECT_FALSE(transfer.completion().status.has_value());
}

TEST_F(TransferTest, DeviceErrorNamesFileOffsetAndCause) {
  Transfer transfer(Request(5000, 1000), /*direct=*/false);
  EXPECT_FALSE(transfer.Take(100));
  EXPECT_TRUE(transfer.Take(-EIO));
  const Status status = transfer.completion().status;
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_THAT(status.error().ToString(), HasSubstr("Input/output error"));
  EXPECT_THAT(status.error().ToString(), HasSubstr(test_.path() + ", byte 5100"));
}

TEST_F(TransferTest, HugeRequestsAreReadInPieces) {
  Transfer transfer(Request(1, uint64_t{5} << 30), /*direct=*/false);
  EXPECT_EQ(transfer.length(), uint64_t{1} << 30);
  EXPECT_TRUE(CheckRange(Request(1, uint64_t{5} << 30)).has_value());
  EXPECT_FALSE(CheckRange(Request(UINT64_MAX - 5, 10)).has_value());
  EXPECT_FALSE(CheckRange(Request(uint64_t{1} << 63, 10)).has_value());
  EXPECT_FALSE(CheckRange(Request(10, UINT64_MAX)).has_value());
}

}  // namespace
}  // namespace flashmoe
