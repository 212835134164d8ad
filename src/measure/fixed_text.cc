#include "measure/fixed_text.h"

#include "base/check.h"

namespace flashmoe {

FixedText::FixedText(std::vector<int32_t> ids) : ids_(std::move(ids)) { FM_CHECK(!ids_.empty()); }

std::vector<int32_t> FixedText::Slice(int64_t first, int64_t count) const {
  std::vector<int32_t> slice;
  slice.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    slice.push_back(ids_[static_cast<size_t>((first + i) % size())]);
  }
  return slice;
}

}  // namespace flashmoe
