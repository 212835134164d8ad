#include "kernels/peak.h"

#include "kernels/simd/functions.h"

namespace flashmoe {

PeakLoops PeakLoopsOf(const KernelTable& table) {
  const PeakLoop fma512 = {"vfmadd (512 bits)", avx512::MultiplyFloats};
  if (table.name == "avx2") {
    return {{"vpmaddubsw", avx2::MultiplyIntegers}, {"vfmadd (256 bits)", avx2::MultiplyFloats}};
  }
  if (table.name == "avx512") return {{"vpdpbusd", avx512::MultiplyIntegers}, fma512};
  if (table.name == "amx") return {{"tdpbssd", amx::MultiplyIntegers}, fma512};
  return {};
}

}  // namespace flashmoe
