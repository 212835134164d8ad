#include "format/utf8.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>

namespace flashmoe {
namespace {

constexpr size_t kQuotedBytesMax = 120;

// Length of the well-formed character at the start of `text`, 0 if there is none.
// REQUIRES: !text.empty().
size_t CharacterBytes(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = at(0);
  if (lead < 0x80) return 1;
  size_t bytes = 0;
  uint8_t second_min = 0x80, second_max = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    bytes = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    bytes = 3;
    if (lead == 0xE0) second_min = 0xA0;  // overlong
    if (lead == 0xED) second_max = 0x9F;  // surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    bytes = 4;
    if (lead == 0xF0) second_min = 0x90;  // overlong
    if (lead == 0xF4) second_max = 0x8F;  // above U+10FFFF
  }
  if (bytes == 0 || text.size() < bytes) return 0;
  if (at(1) < second_min || at(1) > second_max) return 0;
  for (size_t i = 2; i < bytes; ++i) {
    if (at(i) < 0x80 || at(i) > 0xBF) return 0;
  }
  return bytes;
}

// Vocabularies are mostly ASCII: eight bytes at a time.
size_t AsciiPrefix(std::string_view text) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    if (word & 0x8080808080808080u) break;
  }
  return i;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  for (size_t i = AsciiPrefix(text); i < text.size();) {
    const size_t n = CharacterBytes(text.substr(i));
    if (n == 0) return false;
    i += n;
  }
  return true;
}

std::string ReplaceInvalidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t n = CharacterBytes(text.substr(i));
    if (n == 0) {
      out += "\xEF\xBF\xBD";
      ++i;
    } else {
      out += text.substr(i, n);
      i += n;
    }
  }
  return out;
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    if (i >= kQuotedBytesMax) {
      out += "...";
      break;
    }
    const size_t n = CharacterBytes(text.substr(i));
    const auto byte = static_cast<uint8_t>(text[i]);
    // U+0080..U+009F are control characters too: C2 80..9F.
    const bool c1 = n == 2 && byte == 0xC2 && static_cast<uint8_t>(text[i + 1]) < 0xA0;
    if (n == 0 || byte < 0x20 || byte == 0x7F || c1) {
      out += fmt::format("\\x{:02x}", byte);
      i += 1;
    } else {
      out += text.substr(i, n);
      i += n;
    }
  }
  return out + "\"";
}

}  // namespace flashmoe
