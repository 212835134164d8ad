// Which tables this CPU can run. Feature bits alone are not enough: __builtin_cpu_supports also
// asks XGETBV whether the operating system saves the wide registers.
#include <cpuid.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

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

// Tiles are state that the kernel saves only for processes that asked for it; threads inherit the
// permission.
bool HasAmx() {
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM of asm/prctl.h
  constexpr unsigned kTileState = 18, kBothTileStates = 3u << 17, kOsxsave = 1u << 27;
  constexpr unsigned kAmxTile = 1u << 24, kAmxInt8 = 1u << 25;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kOsxsave) == 0) return false;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  if ((d & kAmxTile) == 0 || (d & kAmxInt8) == 0) return false;
  asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  if ((a & kBothTileStates) != kBothTileStates) return false;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileState) == 0;
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

// The same results as avx512's, of many tokens sooner.
const KernelTable& AmxKernels() {
  static const KernelTable table =
      MakeTable("amx", amx::AddMatmul, avx512::AddVectorFunctions, avx512::AddMixers);
  return table;
}

constexpr std::string_view kAllNames[] = {"scalar", "avx2", "avx512", "amx"};

}  // namespace

std::vector<const KernelTable*> AvailableKernels() {
  std::vector<const KernelTable*> tables = {&ScalarKernels()};
  if (HasAvx2()) tables.push_back(&Avx2Kernels());
  if (HasAvx512()) tables.push_back(&Avx512Kernels());
  static const bool has_amx = HasAvx512() && HasAmx();
  if (has_amx) tables.push_back(&AmxKernels());
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
