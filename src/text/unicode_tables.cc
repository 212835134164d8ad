#include "text/unicode_tables.h"

#include <array>
#include <cstddef>
#include <iterator>

namespace flashmoe {
namespace {

struct CodeRange {
  char32_t first;
  uint16_t count;
  uint8_t flags;
};

constexpr char32_t kCodePoints = 0x110000;
constexpr size_t kBlockBits = 8;
constexpr size_t kBlocks = kCodePoints >> kBlockBits;

constexpr CodeRange kRanges[] = {
#include "text/unicode_tables.inc"
    {kCodePoints, 1, 0},
};

// For each block of 256 code points, the first range that ends within or after it.
constexpr auto kFirstRange = [] {
  std::array<uint16_t, kBlocks> first{};
  size_t range = 0;
  for (size_t block = 0; block < first.size(); ++block) {
    while (kRanges[range].first + kRanges[range].count <= block << kBlockBits) ++range;
    first[block] = static_cast<uint16_t>(range);
  }
  return first;
}();
static_assert(std::size(kRanges) < 65536);

constexpr uint8_t Lookup(char32_t code) {
  const CodeRange* range = &kRanges[kFirstRange[code >> kBlockBits]];
  while (range->first + range->count <= code) ++range;
  return code >= range->first ? range->flags : 0;
}

constexpr auto kAscii = [] {
  std::array<uint8_t, 128> flags{};
  for (char32_t code = 0; code < flags.size(); ++code) flags[code] = Lookup(code);
  return flags;
}();

}  // namespace

uint8_t CodeFlagsOf(char32_t code) {
  if (code < kAscii.size()) return kAscii[code];
  return code < kCodePoints ? Lookup(code) : 0;
}

}  // namespace flashmoe
