// What every reader promises, over all of them, on a disk and on tmpfs (which has no O_DIRECT).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <random>

#include "io/async_reader.h"
#include "io/sim_reader.h"
#include "io/test_file.h"

namespace flashmoe {
namespace {

using ::testing::HasSubstr;

struct ReaderCase {
  const char* name;
  ReaderKind kind;
  bool direct;
  bool simulated;  // shuffled, split into parts
  bool tmpfs;
};

class ReaderTest : public ::testing::TestWithParam<ReaderCase> {
 protected:
  static constexpr uint64_t kFileBytes = 9'000'123;
  static constexpr int kDepth = 8;

  void SetUp() override {
    if (GetParam().tmpfs && access("/dev/shm", W_OK) != 0) GTEST_SKIP() << "no /dev/shm";
    folder_ = GetParam().tmpfs ? "/dev/shm" : ::testing::TempDir();
    buffer_ = *Memory::Allocate(uint64_t{64} << 20);
    auto reader = Make(buffer_.span());
    if (!reader.has_value() && GetParam().kind == ReaderKind::kUring) {
      GTEST_SKIP() << reader.error().ToString();
    }
    ASSERT_TRUE(reader.has_value()) << reader.error().ToString();
    reader_ = std::move(*reader);
  }

  Result<std::unique_ptr<AsyncReader>> Make(std::span<std::byte> buffers) {
    FM_ASSIGN_OR_RETURN(auto reader, MakeReader({.kind = GetParam().kind,
                                                 .direct = GetParam().direct,
                                                 .queue_depth = kDepth,
                                                 .buffers = buffers}));
    if (!GetParam().simulated) return reader;
    return std::make_unique<SimReader>(std::move(reader),
                                       SimOptions{.split_rate = 0.5, .hold_rate = 0.5});
  }

  // Reads one range; the status of its completion.
  Status ReadOne(const File* file, uint64_t offset, uint64_t bytes) {
    reader_->Submit({file, offset, bytes, buffer_.data(), 42});
    EXPECT_EQ(reader_->in_flight(), 1u);
    std::vector<ReadCompletion> done;
    while (done.empty()) reader_->Reap(/*wait=*/true, done);
    EXPECT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].tag, 42u);
    EXPECT_EQ(reader_->in_flight(), 0u);
    return done[0].status;
  }

  bool Arrived(const TestFile& test, uint64_t offset, uint64_t bytes) {
    return std::memcmp(buffer_.data() + offset % kBlockBytes, test.content().data() + offset,
                       bytes) == 0;
  }

  std::string folder_;
  Memory buffer_;
  std::unique_ptr<AsyncReader> reader_;
};

TEST_P(ReaderTest, AnyRangeLandsAtItsOffsetWithinTheBlock) {
  TestFile test(folder_, kFileBytes);
  const std::pair<uint64_t, uint64_t> ranges[] = {{0, 1},
                                                  {0, 4096},
                                                  {4095, 2},
                                                  {1, 4095},
                                                  {4096, 4096},
                                                  {5000, 3'000'000},
                                                  {0, kFileBytes},
                                                  {kFileBytes - 1, 1},
                                                  {kFileBytes - 4096 - 17, 4096 + 17},
                                                  {8'998'912, kFileBytes - 8'998'912}};
  for (const auto& [offset, bytes] : ranges) {
    std::memset(buffer_.data(), 0xAA, SlotBytes(offset, bytes) + kBlockBytes);
    const Status status = ReadOne(test.file(), offset, bytes);
    ASSERT_TRUE(status.has_value()) << status.error().ToString();
    EXPECT_TRUE(Arrived(test, offset, bytes)) << offset << " " << bytes;
    EXPECT_EQ(buffer_.data()[SlotBytes(offset, bytes)], std::byte{0xAA}) << "beyond the slot";
  }
}

TEST_P(ReaderTest, ManyRandomReadsInFlight) {
  TestFile test(folder_, kFileBytes);
  std::mt19937_64 random(3);
  constexpr int kSlots = 100;  // many times the depth
  constexpr uint64_t kSlot = 600 * 1024;
  std::vector<ReadRequest> requests(kSlots);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < kSlots; ++i) {
      const uint64_t limit = random() % 4 == 0 ? 500'000 : 10'000;
      const uint64_t bytes = 1 + random() % limit;
      const uint64_t offset = random() % (kFileBytes - bytes + 1);
      requests[i] = {test.file(), offset, bytes, buffer_.data() + i * kSlot,
                     static_cast<uint64_t>(i)};
      reader_->Submit(requests[i]);
      if (random() % 8 == 0) reader_->Flush();
    }
    EXPECT_EQ(reader_->in_flight(), static_cast<size_t>(kSlots));
    std::vector<ReadCompletion> done;
    while (reader_->in_flight() > 0) {
      const size_t before = done.size();
      const bool wait = random() % 2 == 0;
      do {
        reader_->Reap(wait, done);
      } while (wait && done.size() == before);  // a slow disk may take longer than one call waits
      if (wait) {
        EXPECT_GT(done.size(), before);
      }
      EXPECT_EQ(reader_->in_flight() + done.size(), static_cast<size_t>(kSlots));
    }
    std::vector<bool> seen(kSlots);
    for (const ReadCompletion& completion : done) {
      ASSERT_TRUE(completion.status.has_value()) << completion.status.error().ToString();
      ASSERT_FALSE(seen[completion.tag]);
      seen[completion.tag] = true;
      const ReadRequest& request = requests[completion.tag];
      EXPECT_EQ(std::memcmp(request.dest + request.offset % kBlockBytes,
                            test.content().data() + request.offset, request.bytes),
                0);
    }
  }
}

TEST_P(ReaderTest, MemoryThatIsNotRegisteredWorksToo) {
  reader_.reset();
  reader_ = *Make(buffer_.span().subspan(0, 8192));
  TestFile test(folder_, kFileBytes);
  ASSERT_TRUE(ReadOne(test.file(), 1000, 2000).has_value());
  EXPECT_TRUE(Arrived(test, 1000, 2000));
  ASSERT_TRUE(ReadOne(test.file(), 1000, 200'000).has_value());  // reaches beyond it
  EXPECT_TRUE(Arrived(test, 1000, 200'000));
}

TEST_P(ReaderTest, ReadingBeyondTheEndNamesFileAndOffset) {
  TestFile test(folder_, 10'000);
  const std::pair<uint64_t, uint64_t> ranges[] = {{9999, 2},     {0, 10'001},     {10'000, 1},
                                                  {20'480, 100}, {5000, 100'000}, {8192, 4096}};
  for (const auto& [offset, bytes] : ranges) {
    const Status status = ReadOne(test.file(), offset, bytes);
    ASSERT_FALSE(status.has_value()) << offset << " " << bytes;
    EXPECT_THAT(status.error().ToString(), HasSubstr(test.path() + ", byte "));
    EXPECT_THAT(status.error().ToString(), HasSubstr("ends early"));
    EXPECT_EQ(status.error().code, ErrorCode::kIo);
  }
  for (const uint64_t offset : {UINT64_MAX - 4096, uint64_t{1} << 63, uint64_t{1} << 62}) {
    const Status status = ReadOne(test.file(), offset, 4096);
    ASSERT_FALSE(status.has_value());
    EXPECT_THAT(status.error().ToString(), HasSubstr(test.path()));
  }
  EXPECT_TRUE(ReadOne(test.file(), 0, 10'000).has_value()) << "usable afterwards";
}

TEST_P(ReaderTest, FileCutWhileOpenIsAnErrorAndNotASignal) {
  TestFile test(folder_, 1'000'000);
  ASSERT_TRUE(ReadOne(test.file(), 0, 1'000'000).has_value());
  test.Truncate(500'100);
  for (const auto& [offset, bytes] : {std::pair<uint64_t, uint64_t>{700'000, 5000},
                                      {500'000, 200},
                                      {0, 1'000'000},
                                      {499'712, 4096}}) {
    const Status status = ReadOne(test.file(), offset, bytes);
    ASSERT_FALSE(status.has_value()) << offset;
    EXPECT_THAT(status.error().ToString(), HasSubstr(test.path() + ", byte "));
  }
  const Status left = ReadOne(test.file(), 500'000, 100);
  ASSERT_FALSE(left.has_value()) << "what is left may be another file's";
  EXPECT_THAT(left.error().ToString(), HasSubstr("the file was changed while in use"));
  test.Truncate(0);
  EXPECT_FALSE(ReadOne(test.file(), 0, 1).has_value());
}

TEST_P(ReaderTest, FileWrittenToWhileOpenIsAnError) {
  TestFile test(folder_, 100'000);
  ASSERT_TRUE(ReadOne(test.file(), 0, 100'000).has_value());
  test.Overwrite(60'000, "other bytes");
  for (const uint64_t offset : {59'000, 10}) {
    const Status status = ReadOne(test.file(), offset, 5000);
    ASSERT_FALSE(status.has_value()) << offset;
    EXPECT_THAT(status.error().ToString(), HasSubstr("the file was changed while in use"));
    EXPECT_THAT(status.error().ToString(), HasSubstr(test.path() + ", byte "));
    EXPECT_EQ(status.error().code, ErrorCode::kIo);
  }
}

TEST_P(ReaderTest, FileReplacedUnderItsNameIsReadAsItWas) {
  TestFile test(folder_, 100'000), other(folder_, 50'000, /*seed=*/2);
  ASSERT_EQ(rename(other.path().c_str(), test.path().c_str()), 0);
  ASSERT_TRUE(ReadOne(test.file(), 20'000, 80'000).has_value());
  EXPECT_TRUE(Arrived(test, 20'000, 80'000));
}

TEST_P(ReaderTest, DeletedFileIsReadOn) {
  TestFile test(folder_, 100'000);
  ASSERT_EQ(unlink(test.path().c_str()), 0);
  ASSERT_TRUE(ReadOne(test.file(), 50'000, 50'000).has_value());
  EXPECT_TRUE(Arrived(test, 50'000, 50'000));
}

TEST_P(ReaderTest, FilesThatComeAndGoAreNotConfused) {
  for (uint64_t i = 0; i < 20; ++i) {  // a File is likely to get the address of the last one
    TestFile test(folder_, 30'000 + i, /*seed=*/i);
    ASSERT_TRUE(ReadOne(test.file(), i, 30'000).has_value());
    EXPECT_TRUE(Arrived(test, i, 30'000));
  }
}

TEST_P(ReaderTest, NothingInFlightNeverBlocks) {
  std::vector<ReadCompletion> done;
  reader_->Reap(/*wait=*/true, done);
  reader_->Reap(/*wait=*/false, done);
  reader_->Flush();
  EXPECT_TRUE(done.empty());
  EXPECT_EQ(reader_->in_flight(), 0u);
}

TEST_P(ReaderTest, DestructionWithReadsInFlightIsSafe) {
  TestFile test(folder_, kFileBytes);
  for (int flushed = 0; flushed < 2; ++flushed) {
    auto reader = *Make({});
    for (uint64_t i = 0; i < 50; ++i) {
      reader->Submit({test.file(), i * 1000, 1'000'000, buffer_.data() + i * 1'048'576, i});
    }
    if (flushed == 1) reader->Flush();
    reader.reset();
    // Nothing writes any more.
    std::memset(buffer_.data(), 0x55, buffer_.size());
    usleep(2000);
    EXPECT_EQ(std::ranges::count(buffer_.span(), std::byte{0x55}), std::ssize(buffer_.span()));
  }
}

TEST_P(ReaderTest, NameSaysHowItReads) {
  if (GetParam().simulated) return;
  std::string expected(GetParam().kind == ReaderKind::kUring   ? "uring"
                       : GetParam().kind == ReaderKind::kPread ? "pread"
                                                               : "mmap");
  const bool direct = GetParam().direct && GetParam().kind != ReaderKind::kMmap;
  if (direct) expected += " direct";
  EXPECT_EQ(reader_->name(), expected);
  EXPECT_EQ(reader_->direct(), direct);
}

INSTANTIATE_TEST_SUITE_P(
    Readers, ReaderTest,
    ::testing::Values(ReaderCase{"UringDirect", ReaderKind::kUring, true, false, false},
                      ReaderCase{"UringBuffered", ReaderKind::kUring, false, false, false},
                      ReaderCase{"UringTmpfs", ReaderKind::kUring, true, false, true},
                      ReaderCase{"PreadDirect", ReaderKind::kPread, true, false, false},
                      ReaderCase{"PreadBuffered", ReaderKind::kPread, false, false, false},
                      ReaderCase{"PreadTmpfs", ReaderKind::kPread, true, false, true},
                      ReaderCase{"Mmap", ReaderKind::kMmap, false, false, false},
                      ReaderCase{"MmapTmpfs", ReaderKind::kMmap, false, false, true},
                      ReaderCase{"SimUring", ReaderKind::kUring, true, true, false},
                      ReaderCase{"SimPread", ReaderKind::kPread, true, true, false},
                      ReaderCase{"SimMmap", ReaderKind::kMmap, false, true, false}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace flashmoe
