#include "io/sim_reader.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "io/errors.h"

namespace flashmoe {

SimReader::SimReader(std::unique_ptr<AsyncReader> reader, const SimOptions& options)
    : reader_(std::move(reader)), options_(options), faults_(options.seed), order_(options.seed) {}

// Takes a number even if the outcome is certain, so that options do not shift the sequence.
bool SimReader::Draw(double probability) {
  return std::uniform_real_distribution<double>(0, 1)(faults_) < probability;
}

double SimReader::ReadyTime(uint64_t bytes) {
  const double jitter = std::uniform_real_distribution<double>(0, 1)(faults_);
  double ready = NowSeconds();
  if (options_.bytes_per_s > 0) {
    device_free_s_ =
        std::max(device_free_s_, ready) + static_cast<double>(bytes) / options_.bytes_per_s;
    ready = device_free_s_;
  }
  ready += options_.latency_s + jitter * options_.jitter_s;
  if (options_.spike_rate > 0 && Draw(options_.spike_rate)) ready += options_.spike_s;
  return ready;
}

void SimReader::Submit(const ReadRequest& request) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(requests_.size()));
    requests_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  ++in_flight_;

  Request& entry = requests_[index];
  entry = Request{};
  entry.wanted = request;
  entry.ready_s = ReadyTime(request.bytes);
  if (Draw(options_.early_end_rate)) entry.fault = Fault::kEarlyEnd;
  if (Draw(options_.error_rate)) entry.fault = Fault::kEio;
  SubmitParts(index);
}

// A part begins at a block, so that it may go straight to its place in `dest`.
void SimReader::SubmitParts(uint32_t index) {
  Request& entry = requests_[index];
  const ReadRequest& wanted = entry.wanted;
  const bool split = Draw(options_.split_rate);
  const uint64_t first_block = AlignDown(wanted.offset, kBlockBytes);
  const uint64_t end = wanted.offset + wanted.bytes;
  uint64_t at = wanted.offset;
  while (at < end) {
    uint64_t next = end;
    if (split) {
      const uint64_t blocks = (end - at) / kBlockBytes / 2 + 1;
      next = AlignDown(at, kBlockBytes) + (1 + faults_() % blocks) * kBlockBytes;
      next = std::min(next, end);
    }
    ++entry.parts_left;
    reader_->Submit({.file = wanted.file,
                     .offset = at,
                     .bytes = next - at,
                     .dest = wanted.dest + (AlignDown(at, kBlockBytes) - first_block),
                     .tag = index});
    at = next;
  }
}

void SimReader::CollectParts(bool wait) {
  parts_.clear();
  reader_->Reap(wait, parts_);
  for (ReadCompletion& part : parts_) {
    const auto index = static_cast<uint32_t>(part.tag);
    Request& entry = requests_[index];
    if (!part.status.has_value()) entry.status = std::move(part.status);
    if (--entry.parts_left == 0) arrived_.push_back(index);
  }
}

ReadCompletion SimReader::Finish(Request& request) {
  const ReadRequest& wanted = request.wanted;
  if (request.fault != Fault::kNone) {
    std::memset(wanted.dest + wanted.offset % kBlockBytes, 0xEE, wanted.bytes);
    if (request.status.has_value()) {
      request.status = std::unexpected(request.fault == Fault::kEio
                                           ? ReadFailed(*wanted.file, wanted.offset, EIO)
                                           : EndsEarly(*wanted.file, wanted.offset, wanted.bytes,
                                                       wanted.offset + order_() % wanted.bytes));
    }
  }
  return {wanted.tag, std::move(request.status)};
}

// Hands out what has arrived and is due; unless `all`, some of it is held back by chance.
void SimReader::HandOut(bool all, std::vector<ReadCompletion>& out) {
  std::shuffle(arrived_.begin(), arrived_.end(), order_);
  const double now = NowSeconds();
  std::bernoulli_distribution held(std::clamp(options_.hold_rate, 0.0, 1.0));
  std::erase_if(arrived_, [&](uint32_t index) {
    if (requests_[index].ready_s > now || (!all && held(order_))) return false;
    out.push_back(Finish(requests_[index]));
    free_.push_back(index);
    --in_flight_;
    return true;
  });
}

void SimReader::Reap(bool wait, std::vector<ReadCompletion>& out) {
  const size_t before = out.size();
  const double until_s = NowSeconds() + kReapSeconds;
  CollectParts(/*wait=*/false);
  HandOut(/*all=*/false, out);
  while (wait && in_flight_ > 0 && out.size() == before && NowSeconds() < until_s) {
    if (reader_->in_flight() > 0) {
      CollectParts(/*wait=*/true);
      HandOut(/*all=*/false, out);
      continue;
    }
    double ready = until_s;
    for (const uint32_t index : arrived_) ready = std::min(ready, requests_[index].ready_s);
    const double sleep_s = ready - NowSeconds();
    if (sleep_s > 0) std::this_thread::sleep_for(std::chrono::duration<double>(sleep_s));
    HandOut(/*all=*/options_.hold_rate >= 1, out);
  }
}

}  // namespace flashmoe
