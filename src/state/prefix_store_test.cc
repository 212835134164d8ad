#include "state/prefix_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>
#include <thread>

#include "base/test_path.h"

namespace flashmoe {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

StateShape Shape() {
  StateShape shape;
  shape.is_attention = {false, true, false, true};
  shape.context = 1024;
  shape.kv_bytes = 48;
  shape.delta_floats = 200;
  shape.conv_floats = 9;
  return shape;
}

std::vector<int32_t> Text(int64_t length, int32_t seed) {
  std::vector<int32_t> tokens(static_cast<size_t>(length));
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i) * 7 + seed;
  return tokens;
}

// A model that can only count: what it remembers follows from the tokens.
class Fake {
 public:
  Fake() : state_(std::move(*SequenceState::Create(Shape()))) {}

  SequenceState& state() { return state_; }

  // Reads the rest of the text, as a pass does; makes the checkpoints on the way.
  void Read(std::span<const int32_t> tokens, PrefixStore* store, std::vector<int64_t> ends = {}) {
    std::erase_if(ends, [&](int64_t end) { return end <= state_.position(); });
    std::vector<PrefixStore::Draft> drafts;
    if (store != nullptr) drafts = store->Begin(tokens, ends);
    auto next = drafts.begin();
    while (state_.position() < std::ssize(tokens)) {
      Take(tokens[static_cast<size_t>(state_.position())]);
      if (next == drafts.end() || next->end() != state_.position()) continue;
      for (const int layer : {0, 2}) state_.CopyRecurrent(layer, next->recurrent());
      ++next;
    }
    if (store != nullptr) store->Commit(drafts, state_);
  }

  std::vector<std::byte> Remembered() {
    const std::span<const std::byte> recurrent = state_.recurrent();
    std::vector<std::byte> bytes(recurrent.begin(), recurrent.end());
    const auto positions = static_cast<uint64_t>(state_.position()) * Shape().bytes_per_position();
    bytes.resize(recurrent.size() + positions);
    state_.CopyPositions(0, state_.position(), std::span(bytes).subspan(recurrent.size()));
    return bytes;
  }

 private:
  void Take(int32_t token) {
    const StateShape shape = Shape();
    const int64_t at = state_.position();
    for (const int layer : {0, 2}) {
      for (int64_t i = 0; i < shape.delta_floats + shape.conv_floats; ++i) {
        float& x = state_.delta(layer)[i];
        x = x * 0.5f + static_cast<float>(token % 1000 + layer + i);
      }
    }
    for (const int layer : {1, 3}) {
      const float sum = state_.delta(0)[0];
      std::memset(state_.keys(layer) + at * shape.kv_bytes, token % 251, 48);
      std::memcpy(state_.values(layer) + at * shape.kv_bytes, &sum, sizeof sum);
    }
    state_.Advance(1);
  }

  SequenceState state_;
};

std::vector<std::byte> FreshlyRead(std::span<const int32_t> tokens) {
  Fake fake;
  fake.Read(tokens, nullptr);
  return fake.Remembered();
}

class PrefixStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = TestPath("prefixes");
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::unique_ptr<PrefixStore> Open(uint64_t memory, bool on_disk = false,
                                    uint64_t disk_bytes = 1 << 30, uint64_t model = 1) {
    PrefixStoreOptions options;
    options.memory_bytes = memory;
    if (on_disk) options.folder = folder_.string();
    options.disk_bytes = disk_bytes;
    options.model = {model, 2};
    options.shape = Shape();
    options.notice = [this](const Error& error) { notices_.push_back(error.ToString()); };
    auto store = PrefixStore::Open(std::move(options));
    EXPECT_TRUE(store.has_value()) << store.error().ToString();
    return std::move(*store);
  }
  // Continues from what the store has, checks that it equals a fresh run; returns what was reused.
  int64_t Reused(PrefixStore& store, std::span<const int32_t> tokens) {
    Fake fake;
    const int64_t reused = store.Restore(tokens, fake.state());
    EXPECT_EQ(reused, fake.state().position());
    fake.Read(tokens, nullptr);
    EXPECT_EQ(fake.Remembered(), FreshlyRead(tokens)) << "after " << reused;
    return reused;
  }
  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_)) files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
  }

  fs::path folder_;
  std::vector<std::string> notices_;
};

void ReadNew(PrefixStore& store, std::span<const int32_t> tokens, std::vector<int64_t> ends) {
  Fake fake;
  store.Restore(tokens, fake.state());
  fake.Read(tokens, &store, std::move(ends));
}

TEST_F(PrefixStoreTest, TheLongestMatchWins) {
  const auto store = Open(1 << 20);
  const auto text = Text(500, 3);
  EXPECT_EQ(Reused(*store, text), 0);
  ReadNew(*store, text, {64, 192, 448});
  EXPECT_EQ(Reused(*store, text), 448);
  EXPECT_EQ(Reused(*store, std::span(text).first(448)), 192) << "one token is left to read";
  EXPECT_EQ(Reused(*store, std::span(text).first(449)), 448);
  auto other = text;
  other[300] += 1;
  EXPECT_EQ(Reused(*store, other), 192);
  other[10] += 1;
  EXPECT_EQ(Reused(*store, other), 0);
  EXPECT_EQ(Reused(*store, Text(500, 4)), 0);
  EXPECT_EQ(store->stats().checkpoints, 3u);
  EXPECT_EQ(store->stats().made, 3u);
}

TEST_F(PrefixStoreTest, BranchesShareTheirBeginning) {
  const auto store = Open(1 << 20);
  auto text = Text(900, 3);
  ReadNew(*store, text, {512});
  const uint64_t first = store->stats().bytes;
  for (int branch = 0; branch < 3; ++branch) {
    text[600] = 100'000 + branch;
    ReadNew(*store, text, {512, 640});
    EXPECT_EQ(Reused(*store, text), 640);
  }
  const uint64_t more = (store->stats().bytes - first) / 3;
  EXPECT_LT(more, first) << "128 positions each, and not 640";
}

TEST_F(PrefixStoreTest, MemoryIsBoundedAndTheOldestLeave) {
  const uint64_t limit = 200'000;
  const auto store = Open(limit);
  std::vector<std::vector<int32_t>> texts;
  for (int i = 0; i < 20; ++i) {
    texts.push_back(Text(300, i * 10'000));
    ReadNew(*store, texts.back(), {128, 256});
    EXPECT_LE(store->stats().bytes, limit);
    EXPECT_EQ(Reused(*store, texts.front()), 256) << "is used all the time";
  }
  EXPECT_EQ(Reused(*store, texts.back()), 256);
  EXPECT_EQ(Reused(*store, texts[5]), 0);
  const auto tiny = Open(1000);
  ReadNew(*tiny, texts[0], {128});
  EXPECT_EQ(tiny->stats().checkpoints, 0u);
}

TEST_F(PrefixStoreTest, SurvivesARestart) {
  const auto text = Text(500, 3);
  {
    const auto store = Open(1 << 20, true);
    ReadNew(*store, text, {64, 192, 448});
  }
  EXPECT_EQ(Files().size(), 3u);
  const auto store = Open(1 << 20, true);
  EXPECT_EQ(Reused(*store, text), 448);
  EXPECT_EQ(Reused(*store, std::span(text).first(200)), 192);
  EXPECT_TRUE(notices_.empty());
  const auto other_model = Open(1 << 20, true, 1 << 30, /*model=*/9);
  EXPECT_EQ(Reused(*other_model, text), 0);
  // With memory for no more than a part at a time.
  const auto small = Open(60'000, true);
  EXPECT_EQ(Reused(*small, text), 448);
}

TEST_F(PrefixStoreTest, WhatLeftTheMemoryComesBackFromTheDisk) {
  const auto store = Open(100'000, true);
  std::vector<std::vector<int32_t>> texts;
  for (int i = 0; i < 6; ++i) {
    texts.push_back(Text(300, i * 10'000));
    ReadNew(*store, texts.back(), {128, 256});
    store->Flush();
  }
  for (const auto& text : texts) EXPECT_EQ(Reused(*store, text), 256);
  EXPECT_LE(store->stats().bytes, 100'000u);
}

TEST_F(PrefixStoreTest, DamagedAndForeignFilesAreNamedAndIgnored) {
  const auto text = Text(500, 3);
  ReadNew(*Open(1 << 20, true), text, {64, 192, 448});
  const std::vector<fs::path> files = Files();
  std::ofstream(folder_ / "notes.txt") << "mine";
  std::ofstream(folder_ / "strange.checkpoint") << "not a checkpoint, but long enough to be looked "
                                                   "into as if it could be one of them, " +
                                                       std::string(100, '.');
  std::ofstream(folder_ / "short.checkpoint") << "x";
  std::ofstream(folder_ / "left.checkpoint.part") << "half";
  uint64_t seed = 1;
  for (const fs::path& file : files) {
    for (int round = 0; round < 12; ++round) {
      // A byte anywhere, or the end cut off.
      std::ifstream in(file, std::ios::binary);
      const std::string before{std::istreambuf_iterator<char>(in), {}};
      std::mt19937_64 random(seed++);
      std::string damaged = before;
      if (round % 4 == 3) {
        damaged.resize(random() % before.size());
      } else {
        // Header bytes as often as all others.
        const size_t within = round % 2 == 0 ? 128 : before.size();
        damaged[random() % within] ^= static_cast<char>(1 << random() % 8);
      }
      std::ofstream(file, std::ios::binary) << damaged;
      notices_.clear();
      const auto store = Open(1 << 20, true);
      EXPECT_LT(Reused(*store, text), 448);
      EXPECT_THAT(notices_, testing::Contains(HasSubstr(file.filename().string())));
      EXPECT_THAT(notices_, testing::Contains(HasSubstr("strange.checkpoint")));
      EXPECT_THAT(notices_, testing::Contains(HasSubstr("short.checkpoint")));
      EXPECT_GE(store->stats().damaged, 3u);
      std::ofstream(file, std::ios::binary) << before;
    }
  }
  const auto store = Open(1 << 20, true);
  EXPECT_EQ(Reused(*store, text), 448);
  EXPECT_TRUE(fs::exists(folder_ / "notes.txt"));
  EXPECT_TRUE(fs::exists(folder_ / "strange.checkpoint")) << "may be somebody's";
  EXPECT_FALSE(fs::exists(folder_ / "left.checkpoint.part"));
}

TEST_F(PrefixStoreTest, TheFolderIsBoundedAndBeginningsLeaveLast) {
  const uint64_t limit = 150'000;
  const auto total = [&] {
    uint64_t bytes = 0;
    for (const fs::path& file : Files()) bytes += fs::file_size(file);
    return bytes;
  };
  std::vector<std::vector<int32_t>> texts;
  {
    const auto store = Open(1 << 20, true, limit);
    for (int i = 0; i < 10; ++i) {
      texts.push_back(Text(300, i * 10'000));
      ReadNew(*store, texts.back(), {128, 256});
      store->Flush();
      EXPECT_LE(total(), limit);
    }
  }
  const auto store = Open(1 << 20, true, limit);
  EXPECT_EQ(Reused(*store, texts.back()), 256);
  EXPECT_EQ(Reused(*store, texts.front()), 0);
  EXPECT_TRUE(notices_.empty());
  // Another model's files leave as well.
  const auto other = Open(1 << 20, true, limit, /*model=*/5);
  for (int i = 0; i < 10; ++i) ReadNew(*other, Text(300, i), {128, 256});
  other->Flush();
  EXPECT_LE(total(), limit);
}

TEST_F(PrefixStoreTest, NobodyElseMayReadWhatIsKept) {
  const mode_t mask = umask(0);
  const auto text = Text(300, 3);
  ReadNew(*Open(1 << 20, true), text, {128});
  const std::vector<fs::path> files = Files();
  ASSERT_EQ(files.size(), 1u);
  // What an interrupted write left may be open to others; so may the folder be, if it is not ours.
  fs::remove(files[0]);
  std::ofstream(files[0].string() + ".part") << "half";
  const auto store = Open(1 << 20, true);
  ReadNew(*store, text, {128, 256});
  store->Flush();
  umask(mask);
  ASSERT_EQ(Files().size(), 2u);
  for (const fs::path& file : Files()) {
    EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  }
  EXPECT_EQ(fs::status(folder_).permissions(), fs::perms::owner_all);
}

TEST_F(PrefixStoreTest, AFolderThatCannotBeUsedIsAnError) {
  std::ofstream(folder_.string()) << "a file";
  PrefixStoreOptions options;
  options.folder = folder_.string();
  options.shape = Shape();
  const auto store = PrefixStore::Open(options);
  ASSERT_FALSE(store.has_value());
  EXPECT_THAT(store.error().ToString(), HasSubstr(folder_.string()));
}

// A process that is killed while it writes leaves nothing that is damaged.
TEST_F(PrefixStoreTest, AKilledWriterLeavesWholeFiles) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 12; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const auto store = Open(1 << 22, true);
      for (int i = 0;; ++i) {
        ReadNew(*store, Text(1000, round * 1'000'000 + i % 50), {512, 896});
        store->Flush();
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(5000 + random() % 60'000));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    const auto store = Open(1 << 22, true);
    for (int i = 0; i < 50; ++i) Reused(*store, Text(1000, round * 1'000'000 + i));
    EXPECT_TRUE(notices_.empty()) << notices_.front();
  }
}

// Whatever happens in whatever order: limits hold, and what is restored is right.
TEST_F(PrefixStoreTest, RandomUse) {
  for (const uint64_t seed : {1, 2, 3, 4}) {
    fs::remove_all(folder_);
    std::mt19937_64 random(seed);
    const bool on_disk = seed % 2 == 0;
    auto store = Open(150'000, on_disk, 300'000);
    for (int step = 0; step < 300; ++step) {
      auto text =
          Text(64 + static_cast<int64_t>(random() % 700), static_cast<int32_t>(random() % 3));
      // Branches at a few places.
      for (const size_t at : {100u, 300u, 500u}) {
        if (at < text.size()) text[at] += static_cast<int32_t>(random() % 2);
      }
      std::vector<int64_t> ends;
      for (int64_t end = 64; end < std::ssize(text); end += 64) {
        if (random() % 4 == 0) ends.push_back(end);
      }
      Fake fake;
      store->Restore(text, fake.state());
      fake.Read(text, store.get(), ends);
      ASSERT_EQ(fake.Remembered(), FreshlyRead(text)) << seed << ", " << step;
      ASSERT_LE(store->stats().bytes, 150'000u);
      if (on_disk && random() % 40 == 0) {
        store.reset();
        store = Open(150'000, true, 300'000);
      }
    }
    EXPECT_GT(store->stats().used, 0u);
    EXPECT_TRUE(notices_.empty());
  }
}

}  // namespace
}  // namespace flashmoe
