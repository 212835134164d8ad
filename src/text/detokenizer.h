// Tokens to text as they come, never half a UTF-8 character at a time.
#pragma once

#include <string>
#include <string_view>

namespace flashmoe {

class Utf8Stream {
 public:
  // Appends a token's bytes; returns the text that is complete now. Bytes that can never become a
  // character turn into U+FFFD.
  std::string Push(std::string_view bytes);
  // What is left at the end; an unfinished character becomes U+FFFD.
  std::string Finish();

 private:
  std::string pending_;  // at most 3 bytes
};

}  // namespace flashmoe
