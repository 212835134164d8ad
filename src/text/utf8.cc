#include "text/utf8.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>

namespace flashmoe {
namespace {

// What may follow a lead byte: the bounds of the second byte and the length. Length 0: no lead.
struct Lead {
  size_t bytes;
  unsigned char second_min, second_max;
};

Lead LeadOf(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};  // a continuation, or an overlong form
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};  // below: overlong
  if (byte == 0xED) return {3, 0x80, 0x9F};  // above: surrogates
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};  // above: beyond U+10FFFF
  return {0, 0, 0};
}

size_t AsciiPrefix(std::string_view text) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    if ((word & 0x8080808080808080u) != 0) break;
  }
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) ++i;
  return i;
}

}  // namespace

Utf8Char DecodeUtf8(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const Lead lead = LeadOf(byte(0));
  if (lead.bytes == 0) return {kReplacementCharacter, 1, Utf8Char::Kind::kInvalid};
  for (size_t i = 1; i < lead.bytes; ++i) {
    if (i == text.size()) return {kReplacementCharacter, i, Utf8Char::Kind::kTruncated};
    const unsigned char min = i == 1 ? lead.second_min : 0x80;
    const unsigned char max = i == 1 ? lead.second_max : 0xBF;
    if (byte(i) < min || byte(i) > max) {
      return {kReplacementCharacter, i, Utf8Char::Kind::kInvalid};
    }
  }
  Utf8Char result;
  result.code = DecodeValidUtf8(text.data(), &result.bytes);
  return result;
}

void AppendUtf8(char32_t code, std::string& out) {
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xE0 | code >> 12);
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
    }
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

bool IsValidUtf8(std::string_view text) {
  while (true) {
    text.remove_prefix(AsciiPrefix(text));
    if (text.empty()) return true;
    const Utf8Char c = DecodeUtf8(text);
    if (c.kind != Utf8Char::Kind::kValid) return false;
    text.remove_prefix(c.bytes);
  }
}

std::string SanitizeUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Char c = DecodeUtf8(text);
    if (c.kind == Utf8Char::Kind::kValid) {
      out.append(text.substr(0, c.bytes));
    } else {
      AppendUtf8(kReplacementCharacter, out);
    }
    text.remove_prefix(c.bytes);
  }
  return out;
}

std::string QuoteText(std::string_view text, size_t bytes_max) {
  std::string out = "'";
  for (const char c : SanitizeUtf8(text.substr(0, bytes_max))) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out.push_back(c);
    }
  }
  return out + (text.size() > bytes_max ? "...'" : "'");
}

}  // namespace flashmoe
