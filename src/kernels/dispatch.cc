// Which tables this CPU can run. Feature bits alone are not enough: __builtin_cpu_supports also
// asks XGETBV whether the operating system saves the wide registers.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "kernels/kernels.h"
#include "kernels/ref/dequantize.h"
#include "kernels/simd/functions.h"

namespace flashmoe {
namespace {

bool HasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}

bool HasAvx512() {
  return HasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}

using AddFn = void (*)(KernelTable&);

KernelTable MakeTable(std::string_view name, AddFn matmul, AddFn vector_functions, AddFn mixers) {
  KernelTable table = {};
  table.name = name;
  table.dequantize_row = ref::DequantizeRow;
  matmul(table);
  vector_functions(table);
  mixers(table);
  return table;
}

const KernelTable& Avx2Kernels() {
  static const KernelTable table =
      MakeTable("avx2", avx2::AddMatmul, avx2::AddVectorFunctions, avx2::AddMixers);
  return table;
}

const KernelTable& Avx512Kernels() {
  static const KernelTable table =
      MakeTable("avx512", avx512::AddMatmul, avx512::AddVectorFunctions, avx512::AddMixers);
  return table;
}

constexpr std::string_view kAllNames[] = {"scalar", "avx2", "avx512"};

}  // namespace

std::vector<const KernelTable*> AvailableKernels() {
  std::vector<const KernelTable*> tables = {&ScalarKernels()};
  if (HasAvx2()) tables.push_back(&Avx2Kernels());
  if (HasAvx512()) tables.push_back(&Avx512Kernels());
  return tables;
}

Result<const KernelTable*> SelectKernels(std::string_view name) {
  const std::vector<const KernelTable*> tables = AvailableKernels();
  if (name == "auto") return tables.back();
  std::string names = "auto";
  for (const KernelTable* table : tables) {
    if (table->name == name) return table;
    names += fmt::format(", {}", table->name);
  }
  const bool known =
      std::find(std::begin(kAllNames), std::end(kAllNames), name) != std::end(kAllNames);
  return Fail(known ? ErrorCode::kUnsupported : ErrorCode::kInvalidInput,
              known ? fmt::format("this CPU (or its operating system) lacks {}", name)
                    : fmt::format("unknown instruction set '{}'", name),
              "", fmt::format("this CPU has: {}", names));
}

}  // namespace flashmoe
