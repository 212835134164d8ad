#include "terminal/style.h"

#include "terminal/glyphs.h"

namespace flashmoe::terminal {
namespace {

std::string SetStyle(Style style) {
  std::string codes;
  const auto add = [&](Style flag, std::string_view code) {
    if ((style & flag) == 0) return;
    if (!codes.empty()) codes += ';';
    codes += code;
  };
  add(kBold | kHeading, "1");
  add(kDim, "2");
  add(kItalic, "3");
  add(kUnderline | kLink, "4");
  add(kStrike, "9");
  // One colour: the most telling one.
  const Style colour = style & kWarning   ? kWarning
                       : style & kCode    ? kCode
                       : style & kHeading ? kHeading
                                          : (style & kLink);
  if (colour == kWarning) add(kWarning, "33");
  if (colour == kCode) add(kCode, "36");
  if (colour == kHeading) add(kHeading, "35");
  if (colour == kLink) add(kLink, "34");
  return "\x1b[" + codes + "m";
}

}  // namespace

void Append(Spans& spans, std::string_view text, Style style) {
  if (text.empty()) return;
  if (!spans.empty() && spans.back().style == style) {
    spans.back().text += text;
  } else {
    spans.push_back({std::string(text), style});
  }
}

void Append(Spans& spans, const Spans& more) {
  for (const Span& span : more) Append(spans, span.text, span.style);
}

int Columns(const Spans& spans) {
  int columns = 0;
  for (const Span& span : spans) columns += Columns(span.text);
  return columns;
}

Row MakeRow(Spans spans) {
  const int columns = Columns(spans);
  return {std::move(spans), columns};
}

std::string Styled(std::string_view text, Style style) {
  if (style == kPlain) return std::string(text);
  return SetStyle(style) + std::string(text) + "\x1b[0m";
}

std::string ToAnsi(const Spans& spans) {
  std::string out;
  for (const Span& span : spans) out += Styled(span.text, span.style);
  return out;
}

}  // namespace flashmoe::terminal
