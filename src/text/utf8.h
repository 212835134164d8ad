// UTF-8, strictly: no surrogates, no overlong forms, nothing above U+10FFFF. What is not UTF-8
// becomes U+FFFD, one for each maximal part of a character, as the WHATWG decoder, Python and
// Rust's from_utf8_lossy do it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace flashmoe {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

struct Utf8Char {
  enum class Kind {
    kValid,
    kInvalid,    // `bytes` can never become a character, whatever follows
    kTruncated,  // the text ends within a character that further bytes could complete
  };
  char32_t code = kReplacementCharacter;
  size_t bytes = 0;
  Kind kind = Kind::kValid;
};

// The first character. REQUIRES: !text.empty(); then 1 <= bytes <= 4.
Utf8Char DecodeUtf8(std::string_view text);

// The first character of text that is known to be valid. REQUIRES: a whole character at `p`.
inline char32_t DecodeValidUtf8(const char* p, size_t* bytes) {
  const auto byte = [p](int i) { return static_cast<char32_t>(static_cast<unsigned char>(p[i])); };
  const char32_t lead = byte(0);
  if (lead < 0x80) {
    *bytes = 1;
    return lead;
  }
  if (lead < 0xE0) {
    *bytes = 2;
    return (lead & 0x1F) << 6 | (byte(1) & 0x3F);
  }
  if (lead < 0xF0) {
    *bytes = 3;
    return (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  }
  *bytes = 4;
  return (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
}

// REQUIRES: `code` is a Unicode scalar value.
void AppendUtf8(char32_t code, std::string& out);

bool IsValidUtf8(std::string_view text);

// `text` with U+FFFD for what is not UTF-8.
std::string SanitizeUtf8(std::string_view text);

// For error messages: in single quotes, at most `bytes_max` of it, control characters as \xNN (text
// from a file must not steer a terminal).
std::string QuoteText(std::string_view text, size_t bytes_max = 60);

}  // namespace flashmoe
