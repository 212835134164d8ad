#include "terminal/glyphs.h"

#include <utf8proc.h>

#include <algorithm>

namespace flashmoe::terminal {
namespace {

constexpr int32_t kEmojiVariation = 0xFE0F;

struct CodePoint {
  int32_t code = -1;  // -1: not UTF-8
  size_t bytes = 1;
};

CodePoint Decode(std::string_view text) {
  CodePoint result;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const auto length = static_cast<utf8proc_ssize_t>(std::min<size_t>(text.size(), 4));
  const utf8proc_ssize_t n = utf8proc_iterate(bytes, length, &result.code);
  if (n <= 0) return {};
  result.bytes = static_cast<size_t>(n);
  return result;
}

bool IsRegionalIndicator(int32_t code) { return code >= 0x1F1E6 && code <= 0x1F1FF; }

}  // namespace

Glyph NextGlyph(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const bool alone = text.size() == 1 || static_cast<unsigned char>(text[1]) < 0x80;
  if (first < 0x80 && alone) return {1, first < ' ' || first == 0x7f ? 0 : 1, first};

  CodePoint last = Decode(text);
  if (last.code < 0) return {1, 1, 0xFFFD};
  Glyph glyph = {last.bytes, utf8proc_charwidth(last.code), static_cast<char32_t>(last.code)};
  utf8proc_int32_t state = 0;
  while (glyph.bytes < text.size()) {
    const CodePoint next = Decode(text.substr(glyph.bytes));
    if (next.code < 0 || utf8proc_grapheme_break_stateful(last.code, next.code, &state)) break;
    const bool wide = next.code == kEmojiVariation || IsRegionalIndicator(next.code);
    glyph.columns = std::max(glyph.columns, wide ? 2 : utf8proc_charwidth(next.code));
    glyph.bytes += next.bytes;
    last = next;
  }
  return glyph;
}

size_t PreviousGlyph(std::string_view text, size_t end) {
  // Clusters are found from the left; an ASCII character always begins one.
  size_t start = end - 1;
  while (start > 0 && static_cast<unsigned char>(text[start]) >= 0x80) --start;
  size_t at = start;
  while (true) {
    const size_t next = at + NextGlyph(text.substr(at, end - at)).bytes;
    if (next >= end) return at;
    at = next;
  }
}

int Columns(std::string_view text) {
  int columns = 0;
  while (!text.empty()) {
    const Glyph glyph = NextGlyph(text);
    columns += glyph.columns;
    text.remove_prefix(glyph.bytes);
  }
  return columns;
}

std::string FitColumns(std::string_view text, int columns) {
  if (Columns(text) <= columns) return std::string(text);
  size_t bytes = 0;
  int used = 1;  // of the ellipsis
  while (bytes < text.size()) {
    const Glyph glyph = NextGlyph(text.substr(bytes));
    if (used + glyph.columns > columns) break;
    used += glyph.columns;
    bytes += glyph.bytes;
  }
  return columns < 1 ? "" : std::string(text.substr(0, bytes)) + "…";
}

bool IsPunctuation(char32_t code) {
  if ((code >= 0x3000 && code <= 0x303F) || (code >= 0xFF00 && code <= 0xFFEF)) return false;
  const utf8proc_category_t category = utf8proc_category(static_cast<int32_t>(code));
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_SO;
}

bool IsSpace(char32_t code) {
  return code == ' ' || (code >= '\t' && code <= '\r') ||
         utf8proc_category(static_cast<int32_t>(code)) == UTF8PROC_CATEGORY_ZS;
}

}  // namespace flashmoe::terminal
