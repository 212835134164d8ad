#include "engine/record_routing.h"

#include <fmt/format.h>

#include <algorithm>

namespace flashmoe {
namespace {

class RoutingRecorder final : public ForwardObserver {
 public:
  // `trace`: with all sizes set, and ids for as many.
  explicit RoutingRecorder(RoutingTrace& trace) : trace_(trace) {}

  void OnRouting(int layer, std::span<const int32_t> chosen,
                 std::span<const float> /*weights*/) override {
    const size_t k = trace_.experts_per_token;
    tokens_ = chosen.size() / k;
    for (size_t token = 0; token < tokens_; ++token) {
      const size_t row = (done_ + token) * trace_.layers + static_cast<size_t>(layer);
      std::ranges::copy(chosen.subspan(token * k, k),
                        trace_.ids.begin() + static_cast<std::ptrdiff_t>(row * k));
    }
  }
  void OnFinalNorm(std::span<const float> /*x*/) override { done_ += tokens_; }

 private:
  RoutingTrace& trace_;
  size_t tokens_ = 0;  // of the pass
  size_t done_ = 0;    // before it
};

}  // namespace

Result<RoutingTrace> RecordRouting(Engine& engine, Session& session,
                                   std::span<const int32_t> tokens, uint32_t sequence_tokens,
                                   const ProgressFn& progress) {
  const ModelConfig& config = engine.model().config();
  RoutingTrace trace;
  const size_t length = sequence_tokens > 0 ? sequence_tokens : tokens.size();
  if (tokens.empty() || tokens.size() < length) {
    return InvalidInput(
        fmt::format("the text has {} tokens, too few for a sequence", tokens.size()), {},
        "give more text or shorter sequences");
  }
  const size_t sequences = tokens.size() / length;
  const auto layers = static_cast<size_t>(config.layers);
  const auto per_token = static_cast<size_t>(engine.plan().experts_per_token);
  if (sequences * length > kTraceIdsMax / (layers * per_token)) {
    return InvalidInput(fmt::format("{} tokens are too many for a trace", tokens.size()), {},
                        "give less text");
  }
  trace.sequences = static_cast<uint32_t>(sequences);
  trace.tokens = static_cast<uint32_t>(length);
  trace.layers = static_cast<uint32_t>(layers);
  trace.experts_per_token = static_cast<uint32_t>(per_token);
  trace.experts = static_cast<uint32_t>(config.experts);
  trace.ids.resize(sequences * length * layers * per_token);
  RoutingRecorder recorder(trace);
  for (size_t sequence = 0; sequence < sequences; ++sequence) {
    const auto report = [&](const Progress& part) {
      if (progress) progress({"recording", sequence * length + part.done, sequences * length});
    };
    const auto text = tokens.subspan(sequence * length, length);
    FM_RETURN_IF_ERROR(session.Observe(text, recorder, report));
  }
  FM_RETURN_IF_ERROR(CheckTrace(trace, "the recorded routing"));
  return trace;
}

}  // namespace flashmoe
