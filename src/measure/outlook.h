// Will a model run on a machine, and how fast: what is known of it before it runs, or is there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "measure/forecast.h"

namespace flashmoe {

// A change to the machine, and what decoding would then come to.
struct Remedy {
  std::string what;
  double tokens_per_s = 0;
};

struct Outlook {
  ModelFacts facts;
  MemoryPlan memory;
  ReadPlan read;
  MachineSpeed machine;
  DecodeForecast decode;
  std::vector<PrefillForecast> prefill;
  std::vector<Remedy> remedies;  // those that help noticeably
};

// Where a decoded token stands, for the bytes of keys and values that it touches.
inline constexpr int64_t kOutlookPosition = 1024;

// The plans are those that Engine::Load would make of the same file and options, as if the model
// lay on `disk`: a file there, the model's own or another; where the speed is measured unless it is
// given, and may be null then.
Result<Outlook> MakeOutlook(ModelFile& file, const EngineOptions& options, const File* disk,
                            const MachineOptions& machine);

}  // namespace flashmoe
