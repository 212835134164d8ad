#include "terminal/safe_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace flashmoe::terminal {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool Reorders(int32_t code) {
  return code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

// Line and paragraph separators, annotations and invisible tags.
bool IsUnseen(int32_t code) {
  return code == 0x2028 || code == 0x2029 || (code >= 0xFFF9 && code <= 0xFFFB) ||
         (code >= 0xE0000 && code <= 0xE007F);
}

void AppendControl(unsigned char c, std::string& out) {
  if (c == '\n' || c == '\t') {
    out += static_cast<char>(c);
  } else if (c != '\r') {
    out += "\xE2\x90";  // U+2400 and on: pictures of the control characters
    out += static_cast<char>(c == 0x7f ? 0xA1 : 0x80 + c);
  }
}

// Whether `text`, less than four bytes, can become a character by what follows.
bool IsBeginning(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t length = lead >= 0xF0 && lead <= 0xF4   ? 4
                        : lead >= 0xE0 && lead <= 0xEF ? 3
                        : lead >= 0xC2 && lead <= 0xDF ? 2
                                                       : 0;
  return text.size() < length && std::all_of(text.begin() + 1, text.end(), [](char c) {
           return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
         });
}

}  // namespace

std::string SafeText::Push(std::string_view piece) {
  std::string joined;
  if (!held_.empty()) {
    joined = std::exchange(held_, {}).append(piece);
    piece = joined;
  }
  std::string out;
  out.reserve(piece.size());
  while (!piece.empty()) {
    const auto c = static_cast<unsigned char>(piece[0]);
    if (c < 0x80) {
      if (c < ' ' || c == 0x7f) {
        AppendControl(c, out);
      } else {
        out += static_cast<char>(c);
      }
      piece.remove_prefix(1);
      continue;
    }
    int32_t code = -1;
    const auto n =
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(piece.data()),
                         static_cast<utf8proc_ssize_t>(std::min<size_t>(piece.size(), 4)), &code);
    if (n <= 0 && IsBeginning(piece)) {
      held_ = piece;
      break;
    }
    const bool refused = n <= 0 || code < 0xA0 || Reorders(code) || IsUnseen(code);
    const size_t bytes = n <= 0 ? 1 : static_cast<size_t>(n);
    out += refused ? kReplacement : piece.substr(0, bytes);
    piece.remove_prefix(bytes);
  }
  return out;
}

std::string SafeText::Finish() {
  std::string out;
  for (size_t i = 0; i < held_.size(); ++i) out += kReplacement;
  held_.clear();
  return out;
}

std::string Harmless(std::string_view text) {
  SafeText safe;
  std::string out = safe.Push(text);
  return out + safe.Finish();
}

std::string HarmlessLine(std::string_view text) {
  std::string out = Harmless(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return out;
}

}  // namespace flashmoe::terminal
