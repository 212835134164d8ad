// Any bytes as a routing trace: an error, or a trace that keeps its contract and is written as it
// was read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "experts/trace.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto trace = flashmoe::ParseTrace(flashmoe::MemorySource("f.bin", bytes));
  if (!trace.has_value()) {
    FM_CHECK(!trace.error().what.empty());
    return 0;
  }
  FM_CHECK(flashmoe::CheckTrace(*trace, "f.bin").has_value());
  FM_CHECK(trace->Chosen(trace->sequences - 1, trace->tokens - 1, trace->layers - 1).size() > 0);
  // Two bytes an id where one would do are read, but not written.
  const auto written = flashmoe::TraceBytes(*trace);
  FM_CHECK(written.size() < size || std::ranges::equal(written, bytes));
  return 0;
}
