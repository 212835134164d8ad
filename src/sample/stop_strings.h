// Ends a stream of text at the first stop string, never letting a part of one through.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace flashmoe {

class StopMatcher {
 public:
  struct Output {
    std::string emit;      // text that is safe to show now
    bool stopped = false;  // a stop string was found; it and everything after it is dropped
  };

  // Empty stop strings are ignored.
  explicit StopMatcher(const std::vector<std::string>& stops);

  // Takes the next piece of text. What may be the beginning of a stop string is held back until it
  // is decided. The stop string that is complete first ends the text (of several that are complete
  // at the same byte, the longest), however the text is cut into pieces. Linear in the text.
  Output Push(std::string_view text);

  // The end of the text: what was held back is no stop string and belongs to it.
  std::string Finish();

  // The stop string that ended the text; empty: none did.
  const std::string& found() const { return found_; }

 private:
  // Knuth-Morris-Pratt: `matched` bytes at the end of the text are a beginning of `text`.
  struct Stop {
    std::string text;
    std::vector<size_t> border;  // [text.size()]: longest proper prefix that ends text[0..i]
    size_t matched = 0;
  };
  static void Advance(Stop& stop, char c);

  std::vector<Stop> stops_;
  std::string pending_, found_;
  bool stopped_ = false;
};

}  // namespace flashmoe
