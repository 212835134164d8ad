// A reader that behaves like a worse disk: slower, out of order, failing, all from a seed. For
// tests, and for measuring what a given disk would do on a machine that has a faster one.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#include "io/async_reader.h"

namespace flashmoe {

// What happens to a request is drawn when it is submitted, so a seed and a sequence of requests
// give the same faults whatever the timing.
struct SimOptions {
  uint64_t seed = 1;

  // Faults; each a probability per request. A request that fails leaves garbage at its `dest`.
  double error_rate = 0;      // ends with EIO
  double early_end_rate = 0;  // ends as if the file had been cut within the wanted range
  double split_rate = 0;      // arrives in several parts, at times of their own

  // Order: an arrived request is held back at each Reap() with this probability, and those that
  // are let go come in random order.
  double hold_rate = 0;

  // Time. Requests share the bandwidth in the order of submission, as on one device: each is done
  // bytes / bytes_per_s after the one before, and arrives between latency_s and
  // latency_s + jitter_s later.
  double bytes_per_s = 0;  // 0: as fast as the reader below
  double latency_s = 0;
  double jitter_s = 0;
  double spike_rate = 0;  // of requests, that arrive spike_s later still
  double spike_s = 0;
};

class SimReader final : public AsyncReader {
 public:
  SimReader(std::unique_ptr<AsyncReader> reader, const SimOptions& options);

  std::string_view name() const override { return "simulated"; }
  bool direct() const override { return reader_->direct(); }
  void Submit(const ReadRequest& request) override;
  void Flush() override { reader_->Flush(); }
  void Reap(bool wait, std::vector<ReadCompletion>& out) override;
  size_t in_flight() const override { return in_flight_; }

  // For requests from here on. The seed is not taken again.
  void set_options(const SimOptions& options) { options_ = options; }

 private:
  enum class Fault { kNone, kEio, kEarlyEnd };
  struct Request {
    ReadRequest wanted;
    Fault fault = Fault::kNone;
    double ready_s = 0;  // not handed out before
    int parts_left = 0;
    Status status;  // of the parts
  };

  bool Draw(double probability);
  double ReadyTime(uint64_t bytes);
  void SubmitParts(uint32_t index);
  void CollectParts(bool wait);
  void HandOut(bool all, std::vector<ReadCompletion>& out);
  ReadCompletion Finish(Request& request);

  std::unique_ptr<AsyncReader> reader_;
  SimOptions options_;
  std::mt19937_64 faults_;  // drawn from at Submit() only
  std::mt19937_64 order_;
  double device_free_s_ = 0;
  size_t in_flight_ = 0;
  std::vector<Request> requests_;  // the tag of a part is an index into this
  std::vector<uint32_t> free_;     // unused entries
  std::vector<uint32_t> arrived_;  // all parts there, not handed out
  std::vector<ReadCompletion> parts_;
};

}  // namespace flashmoe
