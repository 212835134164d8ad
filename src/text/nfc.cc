#include "text/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <tuple>
#include <vector>

#include "base/check.h"
#include "text/unicode_tables.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

// Everything below is in its own normal form and composes with nothing before it.
constexpr unsigned char kFirstUnstableLead = 0xCC;  // of U+0300

int CombiningClass(int32_t code) { return utf8proc_get_property(code)->combining_class; }

void AppendDecomposed(char32_t code, std::vector<int32_t>& out) {
  // The longest canonical decomposition has 4 code points.
  std::array<int32_t, 8> parts;
  int boundary_class = 0;
  const auto count = utf8proc_decompose_char(static_cast<int32_t>(code), parts.data(), parts.size(),
                                             UTF8PROC_DECOMPOSE, &boundary_class);
  FM_CHECK(count >= 0 && count <= static_cast<int64_t>(parts.size()));
  out.insert(out.end(), parts.begin(), parts.begin() + count);
}

struct Mark {
  int combining_class;
  size_t order;
  int32_t code;
};

// Canonical ordering: marks between starters by class. A sort of ours, as utf8proc's is quadratic.
void OrderMarks(std::vector<int32_t>& codes) {
  std::vector<Mark> marks;
  for (size_t i = 0; i < codes.size();) {
    marks.clear();
    size_t end = i;
    for (; end < codes.size(); ++end) {
      const int combining_class = CombiningClass(codes[end]);
      if (combining_class == 0) break;
      marks.push_back({combining_class, end, codes[end]});
    }
    std::sort(marks.begin(), marks.end(), [](const Mark& a, const Mark& b) {
      return std::tie(a.combining_class, a.order) < std::tie(b.combining_class, b.order);
    });
    for (const Mark& mark : marks) codes[i++] = mark.code;
    i = end + 1;
  }
}

// Normalises `codes`, which nothing around them can touch, and empties them.
void Flush(std::vector<int32_t>& codes, std::string& out) {
  if (codes.empty()) return;
  OrderMarks(codes);
  const auto count =
      utf8proc_normalize_utf32(codes.data(), static_cast<utf8proc_ssize_t>(codes.size()),
                               static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  FM_CHECK(count >= 0);
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    AppendUtf8(static_cast<char32_t>(codes[static_cast<size_t>(i)]), out);
  }
  codes.clear();
}

// The place of the first unstable character; text.size() if there is none.
size_t FindUnstable(std::string_view text, size_t from) {
  while (from < text.size()) {
    if (static_cast<unsigned char>(text[from]) < kFirstUnstableLead) {
      ++from;  // also steps over the continuation byte of U+0080..U+02FF
      continue;
    }
    size_t bytes;
    if ((CodeFlagsOf(DecodeValidUtf8(&text[from], &bytes)) & kCodeNfcUnstable) != 0) break;
    from += bytes;
  }
  return from;
}

size_t StartOfCharBefore(std::string_view text, size_t at) {
  do {
    --at;
  } while ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  return at;
}

}  // namespace

bool IsPlainNfc(std::string_view text) { return FindUnstable(text, 0) == text.size(); }

std::string ToNfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::vector<int32_t> codes;
  for (size_t copied = 0; copied < text.size();) {
    const size_t unstable = FindUnstable(text, copied);
    if (unstable == text.size()) {
      out.append(text.substr(copied));
      break;
    }
    // The stable character before may take part; it ends what cannot change.
    const size_t begin = unstable > copied ? StartOfCharBefore(text, unstable) : unstable;
    out.append(text.substr(copied, begin - copied));
    size_t at = begin;
    while (at < text.size()) {
      size_t bytes;
      const char32_t code = DecodeValidUtf8(&text[at], &bytes);
      const uint8_t flags = CodeFlagsOf(code);
      if (at >= unstable && (flags & kCodeNfcUnstable) == 0) break;
      if ((flags & kCodeNfcInert) != 0) {
        AppendUtf8(code, out);
      } else {
        AppendDecomposed(code, codes);
      }
      at += bytes;
    }
    Flush(codes, out);
    copied = at;
  }
  return out;
}

}  // namespace flashmoe
