#include "text/byte_alphabet.h"

#include <array>

#include "text/utf8.h"

namespace flashmoe {
namespace {

constexpr bool StandsForItself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

constexpr auto kAlphabet = [] {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    alphabet[static_cast<size_t>(byte)] =
        StandsForItself(byte) ? static_cast<char32_t>(byte) : next++;
  }
  return alphabet;
}();

// The byte of each character below U+0144, or -1.
constexpr auto kBytes = [] {
  std::array<int16_t, 0x144> bytes{};
  bytes.fill(-1);
  for (size_t byte = 0; byte < kAlphabet.size(); ++byte) {
    bytes[kAlphabet[byte]] = static_cast<int16_t>(byte);
  }
  return bytes;
}();

}  // namespace

char32_t ByteToAlphabet(uint8_t byte) { return kAlphabet[byte]; }

bool AppendTokenBytes(std::string_view token, std::string& out) {
  const size_t begin = out.size();
  for (size_t at = 0; at < token.size();) {
    const Utf8Char c = DecodeUtf8(token.substr(at));
    const int byte = c.code < kBytes.size() ? kBytes[c.code] : -1;
    if (byte < 0) {
      out.resize(begin);
      out.append(token);
      return false;
    }
    out.push_back(static_cast<char>(byte));
    at += c.bytes;
  }
  return true;
}

}  // namespace flashmoe
