// Cuts text into the pieces within which byte pairs may merge. The patterns are those of the
// models' tokenizer.json, written out as scanners: linear time, no regular expressions.
//
//   kQwen2   (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N}
//            |  ?[^\s\p{L}\p{N}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
//   kQwen35  the same with marks as letters: [^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+ and
//             ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*
//
// Case folding is the reference's: 's also matches ' and U+017F (long s), nothing else beyond
// ASCII.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "text/tokenizer.h"

namespace flashmoe {

// Bytes of the piece that starts at `text`. Every character belongs to exactly one piece.
// REQUIRES: valid UTF-8, !text.empty().
size_t NextPiece(std::string_view text, PreTokenizer pre);

// The scanner for a tokenizer.json's pattern, given as any spelling that matches the same text;
// nullopt if there is none.
std::optional<PreTokenizer> RecognisePattern(std::string_view regex);

}  // namespace flashmoe
