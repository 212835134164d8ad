#include "experts/simulate.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "base/check.h"
#include "experts/cache.h"
#include "experts/ranked_experts.h"

namespace flashmoe {
namespace {

// Tokens of a sequence that come to a layer together.
struct Request {
  uint32_t sequence = 0, token = 0, tokens = 0, layer = 0;
  bool prompt = false;
};

// In the order in which a model makes them. `visit` returns a Status.
template <typename Visit>
Status ForEachRequest(const RoutingTrace& trace, const ReplayOptions& options, Visit visit) {
  const uint32_t prompt = std::min(options.prompt_tokens, trace.tokens);
  for (uint32_t sequence = 0; sequence < trace.sequences; ++sequence) {
    uint32_t token = 0;
    while (token < trace.tokens) {
      const bool in_prompt = token < prompt;
      const uint32_t tokens = in_prompt ? std::min(options.chunk_tokens, prompt - token) : 1;
      for (uint32_t layer = 0; layer < trace.layers; ++layer) {
        FM_RETURN_IF_ERROR(visit(Request{sequence, token, tokens, layer, in_prompt}));
      }
      token += tokens;
    }
  }
  return {};
}

// Knows the uses to come, in the order in which Use() will tell of them.
class BeladyPolicy final : public CachePolicy {
 public:
  BeladyPolicy(const RoutingTrace& trace, const ReplayOptions& options)
      : ranked_(static_cast<int>(trace.layers), static_cast<int>(trace.experts)),
        next_(trace.ids.size(), kNever) {
    std::vector<uint64_t> last(size_t{trace.layers} * trace.experts, trace.ids.size());
    uint64_t use = 0;
    uint32_t number = 0;
    const auto note = [&](const Request& request) -> Status {
      for (uint32_t t = 0; t < request.tokens; ++t) {
        for (const uint16_t id : trace.Chosen(request.sequence, request.token + t, request.layer)) {
          uint64_t& before = last[size_t{request.layer} * trace.experts + id];
          if (before < next_.size()) next_[before] = number;
          before = use++;
        }
      }
      ++number;
      return {};
    };
    FM_CHECK(ForEachRequest(trace, options, note).has_value());
  }

  void BeginToken(int /*layer*/) override {}
  void Use(ExpertKey key) override { ranked_.SetRank(key, -static_cast<double>(next_[use_++])); }
  void Offer(ExpertKey key) override { ranked_.Add(key); }
  void Withdraw(ExpertKey key) override { ranked_.Remove(key); }
  std::optional<Candidate> Cheapest(int layer) const override {
    const std::optional<ExpertKey> key = ranked_.Lowest(layer);
    if (!key.has_value()) return std::nullopt;
    return Candidate{*key, ranked_.rank(*key)};
  }

 private:
  static constexpr uint32_t kNever = std::numeric_limits<uint32_t>::max();
  RankedExperts ranked_;
  std::vector<uint32_t> next_;  // [uses] the request that uses the expert again
  uint64_t use_ = 0;
};

Result<std::unique_ptr<CachePolicy>> MakePolicy(const RoutingTrace& trace, std::string_view name,
                                                const ReplayOptions& options) {
  if (name == kBelady) return std::make_unique<BeladyPolicy>(trace, options);
  FM_ASSIGN_OR_RETURN(const CachePolicyKind kind, CachePolicyFromName(name));
  return MakeCachePolicy(kind, {static_cast<int>(trace.layers), static_cast<int>(trace.experts),
                                static_cast<int>(trace.experts_per_token)});
}

// Serves requests as the store does, from a disk that answers in order.
class Replayer {
 public:
  Replayer(const RoutingTrace& trace, const ReplayOptions& options,
           std::unique_ptr<CachePolicy> policy)
      : trace_(trace),
        at_once_(options.misses_at_once == 0 ? trace.experts : options.misses_at_once),
        cache_(static_cast<int>(trace.layers), static_cast<int>(trace.experts), options.slots,
               static_cast<int>(trace.experts_per_token), std::move(policy)),
        seen_(size_t{trace.layers} * trace.experts) {}

  void Serve(const Request& request, ReplayCount& count) {
    Note(request);
    ready_.clear();
    misses_.clear();
    for (const ExpertKey key : wanted_) {
      const uint32_t slot = cache_.Find(key);
      if (slot == ExpertCache::kNoSlot) {
        misses_.push_back(key);
      } else {
        cache_.Pin(slot);
        ready_.push_back(slot);
      }
    }
    if (request.layer == 0) count.tokens += request.tokens;
    count.requests += wanted_.size();
    count.hits += ready_.size();
    Pass();
  }

 private:
  // Tells the policy; wanted_: distinct, in order of first use.
  void Note(const Request& request) {
    ++number_;
    wanted_.clear();
    const auto layer = static_cast<int>(request.layer);
    for (uint32_t t = 0; t < request.tokens; ++t) {
      cache_.BeginToken(layer);
      for (const uint16_t id : trace_.Chosen(request.sequence, request.token + t, request.layer)) {
        const ExpertKey key = cache_.KeyOf(layer, id);
        cache_.Use(key);
        if (std::exchange(seen_[key], number_) != number_) wanted_.push_back(key);
      }
    }
  }

  // Hands out what is ready, one by one; misses take slots as they can be had.
  void Pass() {
    size_t next_miss = 0, next_ready = 0, reading = 0;
    const size_t hits = ready_.size();
    while (true) {
      for (; next_miss < misses_.size() && reading < at_once_; ++next_miss, ++reading) {
        const std::optional<uint32_t> slot = cache_.Take(misses_[next_miss]);
        if (!slot.has_value()) break;
        cache_.Arrived(*slot);
        ready_.push_back(*slot);
      }
      if (next_ready == ready_.size()) break;
      if (next_ready >= hits) --reading;
      cache_.Unpin(ready_[next_ready++]);
    }
    FM_CHECK(next_miss == misses_.size());
  }

  const RoutingTrace& trace_;
  const size_t at_once_;
  ExpertCache cache_;
  std::vector<uint32_t> seen_;  // [layers * experts] the number of the last request that had it
  uint32_t number_ = 0;
  std::vector<ExpertKey> wanted_, misses_;
  std::vector<uint32_t> ready_;
};

double Ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

double ReplayCount::hit_rate() const { return Ratio(hits, requests); }
double ReplayCount::reads_per_token() const { return Ratio(requests - hits, tokens); }

uint64_t ReplaySlotsMin(const RoutingTrace& trace) {
  return uint64_t{trace.layers} * trace.experts_per_token;
}

Result<ReplayResult> Replay(const RoutingTrace& trace, std::string_view policy,
                            const ReplayOptions& options) {
  if (options.slots < ReplaySlotsMin(trace)) {
    return Fail(ErrorCode::kOutOfMemory,
                fmt::format("{} slots are too few: a token uses {} experts", options.slots,
                            ReplaySlotsMin(trace)));
  }
  if (options.chunk_tokens == 0) return InvalidInput("chunks of 0 tokens", {}, "give at least 1");
  FM_ASSIGN_OR_RETURN(std::unique_ptr<CachePolicy> rules, MakePolicy(trace, policy, options));
  Replayer replayer(trace, options, std::move(rules));
  ReplayResult result;
  const auto serve = [&](const Request& request) -> Status {
    if (options.cancel != nullptr && options.cancel->IsSet()) {
      return Fail(ErrorCode::kCancelled, "interrupted");
    }
    replayer.Serve(request, request.prompt ? result.prompt : result.decode);
    return {};
  };
  FM_RETURN_IF_ERROR(ForEachRequest(trace, options, serve));
  return result;
}

}  // namespace flashmoe
