// Spans of text to rows of a width.
#pragma once

#include <vector>

#include "terminal/style.h"

namespace flashmoe::terminal {

// What stands before the text: a bullet and what takes its place on further rows.
struct Prefix {
  Spans first, rest;
};

// Breaks at line feeds and, where a row is full, at spaces (which vanish there), between wide
// characters, and within words that are longer than a row. Rows take at most `width` columns with
// the prefix; if that leaves less than 4 for the text, 4. Never empty: no text is one row.
//
// Greedy: laying out the last row's text and what follows gives the same rows as laying out all.
std::vector<Row> WrapText(const Spans& text, int width, const Prefix& prefix = {});

// The same without regard for words, for code.
std::vector<Row> WrapColumns(const Spans& text, int width, const Prefix& prefix = {});

}  // namespace flashmoe::terminal
