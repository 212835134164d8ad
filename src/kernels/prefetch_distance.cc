#include "kernels/prefetch_distance.h"

namespace flashmoe {
namespace {

// Of AMD's CPUs one of family 26 was measured.
uintptr_t Distance() {
  __builtin_cpu_init();
  return __builtin_cpu_is("amd") != 0 ? 3072 : 2048;
}

}  // namespace

const uintptr_t kPrefetchDistance = Distance();

}  // namespace flashmoe
