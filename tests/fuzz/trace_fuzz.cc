// Any bytes as a routing trace: an error, or a trace that keeps its contract, is read again as it
// was written, and can be described and replayed.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "experts/policy.h"
#include "experts/simulate.h"
#include "experts/trace.h"
#include "experts/trace_stats.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto trace = flashmoe::ParseTrace(flashmoe::MemorySource("f.bin", bytes));
  if (!trace.has_value()) {
    FM_CHECK(!trace.error().what.empty());
    return 0;
  }
  FM_CHECK(flashmoe::CheckTrace(*trace, "f.bin").has_value());
  FM_CHECK(trace->Chosen(trace->sequences - 1, trace->tokens - 1, trace->layers - 1).size() > 0);
  const auto written = flashmoe::TraceBytes(*trace);
  const auto again = flashmoe::ParseTrace(flashmoe::MemorySource("again.bin", written));
  FM_CHECK(again.has_value() && again->ids == trace->ids && again->experts == trace->experts);
  FM_CHECK(flashmoe::DescribeRouting(*trace).size() == trace->layers);
  const flashmoe::ReplayOptions options{
      .slots = static_cast<uint32_t>(flashmoe::ReplaySlotsMin(*trace)),
      .prompt_tokens = trace->tokens / 2,
      .chunk_tokens = 3};
  const auto best = flashmoe::Replay(*trace, flashmoe::kBelady, options);
  const auto usual =
      flashmoe::Replay(*trace, flashmoe::CachePolicyName(flashmoe::kDefaultCachePolicy), options);
  FM_CHECK(best.has_value() && usual.has_value());
  FM_CHECK(usual->decode.requests == best->decode.requests);
  return 0;
}
