// What an instruction set contributes to its table. Only kernels/dispatch.cc calls these, and only
// after it has seen that the CPU has the set: they are compiled with it.
#pragma once

#include "kernels/kernels.h"

namespace flashmoe {

namespace avx2 {
void AddMatmul(KernelTable& table);
void AddVectorFunctions(KernelTable& table);
void AddMixers(KernelTable& table);  // attention and delta rule
}  // namespace avx2

namespace avx512 {
void AddMatmul(KernelTable& table);
void AddVectorFunctions(KernelTable& table);
void AddMixers(KernelTable& table);
}  // namespace avx512

}  // namespace flashmoe
