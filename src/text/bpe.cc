#include "text/bpe.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <tuple>

namespace flashmoe {
namespace {

// Up to this many bytes, looking at every pair for each merge is faster than a heap.
constexpr size_t kShortPiece = 48;

uint64_t PairKey(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

uint64_t Mix(uint64_t x) {
  x *= 0x9E3779B97F4A7C15u;
  x ^= x >> 32;
  x *= 0xD6E8FEB86659FD93u;
  return x ^ x >> 32;
}

// A merge that was possible when it was put into the heap.
struct Candidate {
  int32_t rank;
  int32_t at;  // of the left symbol
  int32_t token;
  bool operator>(const Candidate& other) const {
    return std::tie(rank, at) > std::tie(other.rank, other.at);
  }
};

struct Symbol {
  int32_t token;  // -1 once it has merged into the one before
  int32_t previous, next;
};

}  // namespace

MergeTable::MergeTable(size_t count) {
  size_t slots = 16;
  while (slots < count * 2) slots *= 2;
  slots_.resize(slots);
}

size_t MergeTable::Place(uint64_t pair) const {
  size_t at = Mix(pair) & (slots_.size() - 1);
  while (slots_[at].merge.rank >= 0 && slots_[at].pair != pair) at = (at + 1) & (slots_.size() - 1);
  return at;
}

void MergeTable::Set(int32_t left, int32_t right, Merge merge) {
  const uint64_t pair = PairKey(left, right);
  slots_[Place(pair)] = {pair, merge};
}

MergeTable::Merge MergeTable::Find(int32_t left, int32_t right) const {
  return slots_[Place(PairKey(left, right))].merge;
}

void Bpe::Encode(std::string_view piece, std::vector<int32_t>& out) const {
  const size_t begin = out.size();
  for (const char c : piece) {
    const int32_t token = byte_tokens_[static_cast<unsigned char>(c)];
    if (token >= 0) out.push_back(token);
  }
  if (out.size() - begin <= kShortPiece) {
    MergeShort(out, begin);
  } else {
    MergeLong(out, begin);
  }
}

void Bpe::MergeShort(std::vector<int32_t>& out, size_t begin) const {
  int32_t* const tokens = out.data() + begin;
  size_t count = out.size() - begin;
  std::array<MergeTable::Merge, kShortPiece> merges;  // of each symbol with the next
  for (size_t i = 0; i + 1 < count; ++i) merges[i] = merges_.Find(tokens[i], tokens[i + 1]);
  while (count > 1) {
    size_t best = count;
    for (size_t i = 0; i + 1 < count; ++i) {
      if (merges[i].rank < 0) continue;
      if (best == count || merges[i].rank < merges[best].rank) best = i;
    }
    if (best == count) break;
    tokens[best] = merges[best].token;
    std::copy(tokens + best + 2, tokens + count, tokens + best + 1);
    --count;
    std::copy(merges.data() + best + 1, merges.data() + count, merges.data() + best);
    if (best + 1 < count) merges[best] = merges_.Find(tokens[best], tokens[best + 1]);
    if (best > 0) merges[best - 1] = merges_.Find(tokens[best - 1], tokens[best]);
  }
  out.resize(begin + count);
}

void Bpe::MergeLong(std::vector<int32_t>& out, size_t begin) const {
  const auto count = static_cast<int32_t>(out.size() - begin);
  std::vector<Symbol> symbols(static_cast<size_t>(count));
  const auto symbol = [&symbols](int32_t at) -> Symbol& {
    return symbols[static_cast<size_t>(at)];
  };
  std::vector<Candidate> candidates;
  const auto add = [&](int32_t at, auto&& put) {
    const int32_t next = symbol(at).next;
    if (next < 0) return;
    const MergeTable::Merge merge = merges_.Find(symbol(at).token, symbol(next).token);
    if (merge.rank >= 0) put(Candidate{merge.rank, at, merge.token});
  };
  for (int32_t i = 0; i < count; ++i) {
    symbol(i) = {out[begin + static_cast<size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1};
  }
  for (int32_t i = 0; i < count; ++i) {
    add(i, [&candidates](const Candidate& c) { candidates.push_back(c); });
  }
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> heap(
      std::greater<>(), std::move(candidates));
  const auto push = [&heap](const Candidate& c) { heap.push(c); };
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    Symbol& left = symbol(best.at);
    // Out of date: one of the two has merged with something else since.
    if (left.token < 0 || left.next < 0) continue;
    Symbol& right = symbol(left.next);
    if (merges_.Find(left.token, right.token).token != best.token) continue;
    left.token = best.token;
    right.token = -1;
    left.next = right.next;
    if (left.next >= 0) symbol(left.next).previous = best.at;
    add(best.at, push);
    if (left.previous >= 0) add(left.previous, push);
  }
  out.resize(begin);
  for (int32_t i = 0; i >= 0; i = symbol(i).next) out.push_back(symbol(i).token);
}

}  // namespace flashmoe
