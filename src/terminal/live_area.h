// The last rows of a terminal, which may still change: what is shown is replaced by what is to be
// shown, from the first row that differs.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "terminal/style.h"

namespace flashmoe::terminal {

struct ScreenSize {
  int columns = 80;
  int rows = 24;
};

using Sink = std::function<void(std::string_view)>;

// Assumes the cursor at the beginning of an empty line at first, and nobody else writing while
// there are live rows. Rows must be narrower than the screen; those above the screen's upper edge
// can no longer change.
class LiveArea {
 public:
  LiveArea(Sink sink, ScreenSize size) : sink_(std::move(sink)), size_(size) {}

  // Shows `done`, then `live`. Those that are done stay for good; the live ones are replaced by the
  // next call.
  void Update(const std::vector<Row>& done, const std::vector<Row>& live);
  // The live rows stay, and the cursor goes to the line below them.
  void Keep() { Update(shown_, {}); }

  // The terminal has another size now, and has wrapped anew what it shows.
  void SetSize(ScreenSize size) { size_ = size; }
  const ScreenSize& size() const { return size_; }

 private:
  int Height(const Row& row) const;
  size_t FirstReachable() const;

  Sink sink_;
  ScreenSize size_;
  std::vector<Row> shown_;  // the cursor stands behind the last one
};

}  // namespace flashmoe::terminal
