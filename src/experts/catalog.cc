#include <algorithm>

#include "base/check.h"
#include "experts/store.h"

namespace flashmoe {

void ExpertCatalog::SetLayer(int layer, int pieces, std::vector<Extent> extents) {
  FM_CHECK(layer >= 0 && layer < layers() && pieces > 0);
  FM_CHECK(extents.size() == static_cast<size_t>(experts_) * static_cast<size_t>(pieces));
  Layer& target = extents_[static_cast<size_t>(layer)];
  target = {.pieces = pieces, .extents = std::move(extents)};
  for (int expert = 0; expert < experts_; ++expert) {
    uint64_t slot_bytes = 0;
    for (int piece = 0; piece < pieces; ++piece) {
      const Extent& extent = this->pieces(layer, expert)[static_cast<size_t>(piece)];
      FM_CHECK(extent.file != nullptr && extent.bytes > 0);
      FM_CHECK(extent.bytes == this->pieces(layer, 0)[static_cast<size_t>(piece)].bytes);
      slot_bytes += SlotBytes(extent.offset, extent.bytes);
    }
    target.slot_bytes = std::max(target.slot_bytes, slot_bytes);
  }
  if (experts_ > 0) {
    for (const Extent& extent : this->pieces(layer, 0)) target.expert_bytes += extent.bytes;
  }
}

std::span<const Extent> ExpertCatalog::pieces(int layer, int expert) const {
  const Layer& source = extents_[static_cast<size_t>(layer)];
  if (source.extents.empty()) return {};
  const auto count = static_cast<size_t>(source.pieces);
  return std::span(source.extents).subspan(static_cast<size_t>(expert) * count, count);
}

uint64_t ExpertCatalog::slot_bytes(int layer) const {
  return extents_[static_cast<size_t>(layer)].slot_bytes;
}

uint64_t ExpertCatalog::max_slot_bytes() const {
  uint64_t bytes = 0;
  for (const Layer& layer : extents_) bytes = std::max(bytes, layer.slot_bytes);
  return bytes;
}

uint64_t ExpertCatalog::expert_bytes(int layer) const {
  return extents_[static_cast<size_t>(layer)].expert_bytes;
}

int ExpertCatalog::routed_layers() const {
  return static_cast<int>(
      std::ranges::count_if(extents_, [](const Layer& layer) { return !layer.extents.empty(); }));
}

uint64_t ExpertCatalog::total_bytes() const {
  uint64_t bytes = 0;
  for (const Layer& layer : extents_) bytes += layer.expert_bytes * static_cast<uint64_t>(experts_);
  return bytes;
}

}  // namespace flashmoe
