#include "kernels/avx2/vector.h"
#include "kernels/simd/attention.h"
#include "kernels/simd/delta.h"
#include "kernels/simd/functions.h"

namespace flashmoe::avx2 {

void AddMixers(KernelTable& table) {
  table.attention = Attention;
  table.delta_step = DeltaOneStep;
  table.delta_chunk = DeltaManySteps;
}

}  // namespace flashmoe::avx2
