#include "text/jinja/characters.h"

#include <string.h>
#include <utf8proc.h>

#include "text/utf8.h"

namespace flashmoe::jinja {
namespace {

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

utf8proc_category_t Category(char32_t point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(point));
}

}  // namespace

char32_t NextPoint(std::string_view bytes, size_t& pos) {
  size_t length = 0;
  const char32_t point = DecodeValidUtf8(bytes.data() + pos, &length);
  pos += length;
  return point;
}

int64_t CountPoints(std::string_view bytes) {
  int64_t points = 0;
  for (const char c : bytes) points += IsContinuation(c) ? 0 : 1;
  return points;
}

size_t ByteOffset(std::string_view bytes, int64_t index) {
  size_t pos = 0;
  for (; pos < bytes.size(); ++pos) {
    if (!IsContinuation(bytes[pos]) && index-- == 0) return pos;
  }
  return pos;
}

size_t FindBytes(std::string_view bytes, std::string_view needle, size_t from) {
  if (from > bytes.size()) return std::string_view::npos;
  if (needle.empty()) return from;
  // memmem is linear in the worst case; std::string_view::find is not.
  const void* hit = memmem(bytes.data() + from, bytes.size() - from, needle.data(), needle.size());
  if (hit == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(hit) - bytes.data());
}

bool IsSpace(char32_t point) {
  if (point < 0x80) return (point >= 9 && point <= 13) || (point >= 0x1C && point <= 0x20);
  return point == 0x85 || Category(point) == UTF8PROC_CATEGORY_ZS || point == 0x2028 ||
         point == 0x2029;
}

bool IsLineBreak(char32_t point) {
  return (point >= 0x0A && point <= 0x0D) || (point >= 0x1C && point <= 0x1E) || point == 0x85 ||
         point == 0x2028 || point == 0x2029;
}

bool IsAlpha(char32_t point) {
  const auto category = Category(point);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool IsDigit(char32_t point) { return Category(point) == UTF8PROC_CATEGORY_ND; }

bool IsNumeric(char32_t point) {
  const auto category = Category(point);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool IsUpper(char32_t point) {
  return utf8proc_isupper(static_cast<utf8proc_int32_t>(point)) != 0 ||
         Category(point) == UTF8PROC_CATEGORY_LU;
}

bool IsLower(char32_t point) {
  return utf8proc_islower(static_cast<utf8proc_int32_t>(point)) != 0 ||
         Category(point) == UTF8PROC_CATEGORY_LL;
}

bool IsPrintable(char32_t point) {
  if (point == ' ') return true;
  switch (Category(point)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

void AppendUpper(std::string& out, char32_t point) {
  // The one letter in wide use whose upper case is longer than itself.
  if (point == 0xDF) {
    out += "SS";
    return;
  }
  AppendUtf8(static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(point))), out);
}

void AppendLower(std::string& out, char32_t point) {
  AppendUtf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(point))), out);
}

void AppendTitle(std::string& out, char32_t point) {
  if (point == 0xDF) {
    out += "Ss";
    return;
  }
  AppendUtf8(static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(point))), out);
}

std::string ToUpper(std::string_view bytes) {
  std::string out;
  for (size_t pos = 0; pos < bytes.size();) AppendUpper(out, NextPoint(bytes, pos));
  return out;
}

std::string ToLower(std::string_view bytes) {
  std::string out;
  for (size_t pos = 0; pos < bytes.size();) AppendLower(out, NextPoint(bytes, pos));
  return out;
}

std::string Capitalize(std::string_view bytes) {
  std::string out;
  if (bytes.empty()) return out;
  size_t pos = 0;
  AppendTitle(out, NextPoint(bytes, pos));
  while (pos < bytes.size()) AppendLower(out, NextPoint(bytes, pos));
  return out;
}

std::string_view StripLeft(std::string_view bytes) {
  size_t pos = 0;
  while (pos < bytes.size()) {
    size_t next = pos;
    if (!IsSpace(NextPoint(bytes, next))) break;
    pos = next;
  }
  return bytes.substr(pos);
}

std::string_view StripRight(std::string_view bytes) {
  while (!bytes.empty()) {
    size_t begin = bytes.size() - 1;
    while (begin > 0 && IsContinuation(bytes[begin])) --begin;
    size_t pos = begin;
    if (!IsSpace(NextPoint(bytes, pos))) break;
    bytes = bytes.substr(0, begin);
  }
  return bytes;
}

}  // namespace flashmoe::jinja
