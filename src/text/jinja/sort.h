// A stable merge sort whose comparison may fail, and which stays in bounds when it is inconsistent
// (NaN), as std::stable_sort need not.
#pragma once

#include <algorithm>
#include <vector>

#include "base/status.h"
#include "text/jinja/compare.h"

namespace flashmoe::jinja {

inline Result<bool> Less(Budget& budget, const Value& a, const Value& b) {
  FM_ASSIGN_OR_RETURN(const std::partial_ordering order, Order(budget, a, b));
  return order == std::partial_ordering::less;
}

// `less(a, b)` returns Result<bool>.
template <typename T, typename LessFn>
Status StableSort(std::vector<T>& items, const LessFn& less) {
  std::vector<T> merged(items.size());
  for (size_t width = 1; width < items.size(); width *= 2) {
    for (size_t begin = 0; begin < items.size(); begin += 2 * width) {
      const size_t middle = std::min(begin + width, items.size());
      const size_t end = std::min(begin + 2 * width, items.size());
      size_t left = begin;
      size_t right = middle;
      for (size_t i = begin; i < end; ++i) {
        bool take_right = left == middle;
        if (left < middle && right < end) {
          FM_ASSIGN_OR_RETURN(take_right, less(items[right], items[left]));
        }
        merged[i] = std::move(items[take_right ? right++ : left++]);
      }
    }
    std::swap(items, merged);
  }
  return {};
}

}  // namespace flashmoe::jinja
