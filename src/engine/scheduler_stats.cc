#include "engine/scheduler_stats.h"

namespace flashmoe {

void LatencyHistogram::Add(double seconds) {
  for (size_t i = 0; i < kBoundsS.size(); ++i) {
    if (seconds <= kBoundsS[i]) ++below[i];
  }
  ++count;
  sum_s += seconds;
}

}  // namespace flashmoe
