// Which experts were in memory when a process ended, in a file: so that the next one can begin with
// them, and need not find out again what is wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/status.h"
#include "experts/store.h"
#include "state/digest.h"

namespace flashmoe {

struct ResidentExperts {
  int layers = 0, experts = 0;
  std::vector<std::byte> bits;  // [layers, (experts + 7) / 8], the lowest bit first

  bool Has(int layer, int expert) const;
  void Add(int layer, int expert);
  uint64_t count() const;

  static ResidentExperts None(int layers, int experts);
  static ResidentExperts Of(const ExpertStore& store);
};

// Written under another name, synchronised and renamed. Errors name the file.
Status WriteResidentExperts(const std::string& path, const Digest& model,
                            const ResidentExperts& resident);

// Fails if anything is not as it was written, or for another model.
Result<ResidentExperts> ReadResidentExperts(const std::string& path, const Digest& model);

// Reads them, as many as there are slots, of each layer the same part. Fails as ExpertStream does;
// what has been read stays; and where the store has other layers and experts.
Status FetchExperts(const ResidentExperts& resident, ExpertStore& store, const ProgressFn& progress,
                    const CancelFlag* cancel);

}  // namespace flashmoe
