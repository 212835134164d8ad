// Which experts every token of some texts chose in every layer: what policies and predictors are
// judged by, without a model.
//
// The file, little-endian: "MOETRACE", then uint32 version, sequences, tokens, layers, experts per
// token, experts; then the ids [sequences][tokens][layers][experts per token], best first. Version
// 1 has a byte an id, version 2, for more than 256 experts, two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "format/byte_source.h"

namespace flashmoe {

// The largest trace that is read: ids of all, and layers * experts.
inline constexpr uint64_t kTraceIdsMax = uint64_t{1} << 30;
inline constexpr uint64_t kTraceKeysMax = uint64_t{1} << 20;

struct RoutingTrace {
  uint32_t sequences = 0;
  uint32_t tokens = 0;  // of each sequence
  uint32_t layers = 0;
  uint32_t experts_per_token = 0;
  uint32_t experts = 0;       // of each layer
  std::vector<uint16_t> ids;  // [sequences, tokens, layers, experts_per_token]

  // [experts_per_token], distinct, best first.
  std::span<const uint16_t> Chosen(uint32_t sequence, uint32_t token, uint32_t layer) const {
    const size_t row = (size_t{sequence} * tokens + token) * layers + layer;
    return {ids.data() + row * experts_per_token, experts_per_token};
  }
};

// Fails unless the sizes are at least 1 and within the limits above, ids has as many, and those of
// a token and layer are distinct experts. `where`: for the message.
Status CheckTrace(const RoutingTrace& trace, const std::string& where);

// What they return has passed CheckTrace.
Result<RoutingTrace> ParseTrace(const ByteSource& source);
Result<RoutingTrace> ReadTrace(const std::string& path);

// REQUIRES: CheckTrace(trace). The file appears when it is complete.
std::vector<std::byte> TraceBytes(const RoutingTrace& trace);
Status WriteTrace(const RoutingTrace& trace, const std::string& path);

}  // namespace flashmoe
