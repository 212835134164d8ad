// Any bytes as a model's answer on a screen of any size, in pieces of any length: nothing but what
// this program means to say reaches the terminal.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "terminal/markdown.h"

namespace {

// Escape sequences of digits and one of these, line feeds and carriage returns.
void CheckHarmless(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    if (c == 0x1b) {
      FM_CHECK(i + 1 < bytes.size() && bytes[i + 1] == '[');
      i = bytes.find_first_not_of("0123456789;", i + 2);
      FM_CHECK(i != std::string_view::npos);
      FM_CHECK(std::string_view("ABCJKm").find(bytes[i]) != std::string_view::npos);
    } else {
      FM_CHECK(c >= ' ' || c == '\r' || c == '\n');
      FM_CHECK(c != 0x7f);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const flashmoe::terminal::ScreenSize screen = {data[0], data[1]};
  const size_t piece = 1 + data[2];
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  std::string written;
  flashmoe::terminal::MarkdownWriter writer([&](std::string_view bytes) { written += bytes; },
                                            screen);
  for (size_t at = 0; at < text.size(); at += piece) writer.Push(text.substr(at, piece));
  writer.Finish();
  CheckHarmless(written);
  return 0;
}
