// The store against a simple model of it, over a disk that is slow, out of order and failing: what
// is resident, what is read and what it holds, over thousands of random requests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "experts/store.h"
#include "experts/test_experts.h"
#include "io/sim_reader.h"

namespace flashmoe {
namespace {

using ExpertId = std::pair<int, int>;  // layer, expert

constexpr int kPerToken = 3;
constexpr int kRoutedLayers[] = {0, 2, 3, 4};

// Least recently used with a floor for each layer, written for being obvious.
class Model {
 public:
  explicit Model(size_t slots) : slots_(slots) {}

  // Returns the number of hits.
  int Begin(int layer, const std::vector<int>& experts) {
    int hits = 0;
    waiting_.clear();
    for (const int expert : experts) {
      const ExpertId id = {layer, expert};
      last_use_[id] = ++now_;
      if (held_.contains(id)) {
        pinned_.insert(id);
        ++hits;
      } else {
        waiting_.push_back(id);
      }
    }
    TakeSlots();
    return hits;
  }
  void LetGo(const ExpertId& id) {
    pinned_.erase(id);
    TakeSlots();
  }
  void End(const std::set<ExpertId>& failed) {
    waiting_.clear();
    pinned_.clear();
    for (const ExpertId& id : failed) held_.erase(id);
  }
  size_t held() const { return held_.size(); }

 private:
  void TakeSlots() {
    while (!waiting_.empty()) {
      if (held_.size() == slots_ && !GiveUpOne(waiting_.front().first)) return;
      held_.insert(waiting_.front());
      pinned_.insert(waiting_.front());
      waiting_.erase(waiting_.begin());
    }
  }
  bool GiveUpOne(int for_layer) {
    std::optional<ExpertId> oldest;
    for (const ExpertId& id : held_) {
      const auto in_layer = std::ranges::count(held_, id.first, &ExpertId::first);
      if (pinned_.contains(id) || (id.first != for_layer && in_layer <= kPerToken)) continue;
      if (!oldest.has_value() || last_use_[id] < last_use_[*oldest]) oldest = id;
    }
    if (oldest.has_value()) held_.erase(*oldest);
    return oldest.has_value();
  }

  const size_t slots_;
  uint64_t now_ = 0;
  std::map<ExpertId, uint64_t> last_use_;
  std::set<ExpertId> held_;
  std::set<ExpertId> pinned_;  // in use, arriving, or not handed out yet
  std::vector<ExpertId> waiting_;
};

// Watches what the store asks of a reader.
class WatchedReader final : public AsyncReader {
 public:
  explicit WatchedReader(std::unique_ptr<AsyncReader> reader) : reader_(std::move(reader)) {}

  std::string_view name() const override { return reader_->name(); }
  bool direct() const override { return reader_->direct(); }
  void Submit(const ReadRequest& request) override {
    const std::byte* end = request.dest + SlotBytes(request.offset, request.bytes);
    for (const auto& [begin_in_use, end_in_use] : in_use) {
      EXPECT_TRUE(end <= begin_in_use || request.dest >= end_in_use) << "overwrites what is in use";
    }
    EXPECT_TRUE(requests_.emplace(request.tag, request).second) << "a tag in use";
    for (const auto& [tag, other] : requests_) {
      if (tag == request.tag) continue;
      EXPECT_TRUE(end <= other.dest ||
                  request.dest >= other.dest + SlotBytes(other.offset, other.bytes))
          << "two reads into the same bytes";
    }
    reader_->Submit(request);
  }
  void Flush() override { reader_->Flush(); }
  void Reap(bool wait, std::vector<ReadCompletion>& out) override {
    const size_t before = out.size();
    reader_->Reap(wait, out);
    for (size_t i = before; i < out.size(); ++i) {
      const ReadRequest request = requests_.extract(out[i].tag).mapped();
      if (out[i].status.has_value()) {
        bytes_read += request.bytes;
      } else {
        failed.emplace_back(request.file, request.offset);
      }
    }
  }
  size_t in_flight() const override { return reader_->in_flight(); }

  std::vector<std::pair<const std::byte*, const std::byte*>> in_use;
  std::vector<std::pair<const File*, uint64_t>> failed;
  uint64_t bytes_read = 0;

 private:
  std::unique_ptr<AsyncReader> reader_;
  std::map<uint64_t, ReadRequest> requests_;
};

struct ModelCase {
  const char* name;
  uint64_t slots;
  ReaderKind kind;
};

class StoreModelTest : public ::testing::TestWithParam<ModelCase> {
 protected:
  void SetUp() override {
    auto reader = MakeReader({.kind = GetParam().kind, .queue_depth = 4});
    ASSERT_TRUE(reader.has_value()) << reader.error().ToString();
    auto sim = std::make_unique<SimReader>(std::move(*reader), SimOptions{});
    sim_ = sim.get();
    auto watched = std::make_unique<WatchedReader>(std::move(sim));
    watched_ = watched.get();
    const StoreOptions options{
        .slots = GetParam().slots, .experts_per_token = kPerToken, .policy = CachePolicyKind::kLru};
    store_ = *ExpertStore::Create(catalog_, options, std::move(watched));
    model_.emplace(store_->slots());
    for (const int layer : kRoutedLayers) {
      for (int expert = 0; expert < TestExperts::kExperts; ++expert) {
        for (const Extent& piece : catalog_.pieces(layer, expert)) {
          owner_[{piece.file, piece.offset}] = {layer, expert};
        }
      }
    }
  }

  // A token's choice, mostly; now and then one expert, or a chunk's many.
  std::vector<int> RandomRequest() {
    std::vector<int> experts(TestExperts::kExperts);
    std::iota(experts.begin(), experts.end(), 0);
    std::ranges::shuffle(experts, random_);
    const size_t sizes[] = {kPerToken, kPerToken, kPerToken, kPerToken, 1, 7, 12, random_() % 13};
    experts.resize(sizes[random_() % 8]);
    return experts;
  }

  // Serves one request, or a part of it. Whether it ended with an error.
  bool Serve(int layer, const std::vector<int>& wanted, size_t handed_out_max);
  void ExpectUnchangedWhileHeld(int layer, const ResidentExpert& expert);

  TestExperts experts_{::testing::TempDir()};
  ExpertCatalog catalog_ = experts_.Catalog();
  SimReader* sim_ = nullptr;
  WatchedReader* watched_ = nullptr;
  std::unique_ptr<ExpertStore> store_;
  std::optional<Model> model_;
  std::map<std::pair<const File*, uint64_t>, ExpertId> owner_;
  std::mt19937_64 random_{GetParam().slots};
  uint64_t requests_ = 0;
  uint64_t hits_ = 0;
};

void StoreModelTest::ExpectUnchangedWhileHeld(int layer, const ResidentExpert& expert) {
  for (size_t piece = 0; piece < expert.pieces.size(); ++piece) {
    watched_->in_use.emplace_back(expert.pieces[piece],
                                  expert.pieces[piece] + TestExperts::kPieceBytes[piece]);
  }
  EXPECT_TRUE(experts_.Matches(layer, expert));
  if (random_() % 8 == 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(50));  // others arrive meanwhile
    EXPECT_TRUE(experts_.Matches(layer, expert));
  }
}

bool StoreModelTest::Serve(int layer, const std::vector<int>& wanted, size_t handed_out_max) {
  watched_->failed.clear();
  hits_ += static_cast<uint64_t>(model_->Begin(layer, wanted));
  requests_ += wanted.size();
  bool error = false;
  {
    auto stream = store_->Stream(layer, wanted);
    EXPECT_TRUE(stream.has_value());
    std::set<int> indices;
    std::optional<ExpertId> held;
    while (indices.size() < handed_out_max) {
      watched_->in_use.clear();
      if (held.has_value()) model_->LetGo(*held);
      held.reset();
      auto expert = stream->Next();
      if (!expert.has_value()) {
        EXPECT_THAT(expert.error().ToString(),
                    ::testing::MatchesRegex("expert [0-9]+ of layer [0-9]+: .*, byte [0-9]+.*"));
        EXPECT_FALSE(watched_->failed.empty());
        error = true;
        break;
      }
      if (!expert->has_value()) {
        EXPECT_EQ(indices.size(), wanted.size());
        break;
      }
      EXPECT_TRUE(indices.insert((*expert)->index).second) << "twice";
      EXPECT_EQ(wanted[(*expert)->index], (*expert)->expert);
      ExpectUnchangedWhileHeld(layer, **expert);
      held = {layer, (*expert)->expert};
    }
    watched_->in_use.clear();
  }
  EXPECT_EQ(watched_->in_flight(), 0u);
  std::set<ExpertId> failed;
  for (const auto& place : watched_->failed) failed.insert(owner_.at(place));
  model_->End(failed);
  return error;
}

TEST_P(StoreModelTest, RandomRequests) {
  uint64_t errors = 0;
  for (int step = 0; step < 2000; ++step) {
    if (step % 50 == 0) {
      const bool failing = step % 200 == 150;
      sim_->set_options({.error_rate = failing ? 0.2 : 0,
                         .early_end_rate = failing ? 0.05 : 0,
                         .split_rate = step % 100 == 0 ? 0.3 : 0,
                         .hold_rate = step % 150 == 0 ? 0.6 : 0.1,
                         .jitter_s = step % 1000 == 0 ? 0.0005 : 0});
    }
    const int layer = kRoutedLayers[random_() % 4];
    const size_t handed_out_max = random_() % 20 == 0 ? random_() % 4 : 100;
    errors += Serve(layer, RandomRequest(), handed_out_max) ? 1 : 0;
    ASSERT_EQ(store_->stats().requests, requests_) << step;
    ASSERT_EQ(store_->stats().hits, hits_) << step;
    ASSERT_EQ(store_->stats().bytes_read, watched_->bytes_read) << step;
    ASSERT_EQ(store_->slots_used(), model_->held()) << step;
    ASSERT_FALSE(HasFailure()) << step;
  }
  EXPECT_GT(errors, 10u);
  EXPECT_GT(hits_, 1000u);
  EXPECT_LT(store_->stats().hits, store_->stats().requests);
}

INSTANTIATE_TEST_SUITE_P(Slots, StoreModelTest,
                         ::testing::Values(ModelCase{"Floor", 12, ReaderKind::kPread},
                                           ModelCase{"FloorAndOne", 13, ReaderKind::kPread},
                                           ModelCase{"Some", 17, ReaderKind::kAuto},
                                           ModelCase{"Half", 24, ReaderKind::kAuto},
                                           ModelCase{"AllButOne", 47, ReaderKind::kMmap}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace flashmoe
