// A few pages of varied English: stories, explanations, code, lists, letters, figures. What models
// are timed on, where no other text is given, and what the vocabulary of random models is made
// from.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace flashmoe {

// The sections, each of another kind, 300 to 1300 bytes long.
std::span<const std::string_view> SampleSections();

// At least `bytes` bytes: all sections from number `first` on (modulo their number) in order, again
// and again, each time round beginning elsewhere, so that no long passage follows the same one
// twice.
std::string SampleText(size_t bytes, size_t first = 0);

}  // namespace flashmoe
