// A hash map from token text to id, made for a quarter of a million short strings: one flat array.
// Holds views: the texts must outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace flashmoe {

class TokenIndex {
 public:
  // For at most `count` tokens.
  explicit TokenIndex(size_t count) {
    size_t slots = 16;
    while (slots < count * 2) slots *= 2;
    slots_.resize(slots);
  }

  // The id that `text` has already, or `id`, which it has from now on. REQUIRES: id >= 0.
  int32_t Insert(std::string_view text, int32_t id) {
    Slot& slot = slots_[Place(text)];
    if (slot.id < 0) slot = {text, id};
    return slot.id;
  }

  // -1 if there is none.
  int32_t Find(std::string_view text) const { return slots_[Place(text)].id; }

 private:
  struct Slot {
    std::string_view text;
    int32_t id = -1;
  };

  // Where `text` is, or where it would go: at most half of the slots are ever taken.
  size_t Place(std::string_view text) const {
    size_t at = std::hash<std::string_view>{}(text) & (slots_.size() - 1);
    while (slots_[at].id >= 0 && slots_[at].text != text) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  std::vector<Slot> slots_;
};

}  // namespace flashmoe
