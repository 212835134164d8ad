// Markdown within a block: emphasis, code, links, as CommonMark and GitHub's dialect define them.
#pragma once

#include <string_view>

#include "terminal/style.h"

namespace flashmoe::terminal {

struct InlineOptions {
  Style base = kPlain;  // what every span gets besides its own style
  // While more may follow: what was begun is shown as if it ended here, and its marks are hidden.
  bool open_ended = false;
};

struct InlineResult {
  Spans spans;
  bool pending = false;  // something was begun whose end would change how this text looks
};

// `source` is harmless text (terminal/safe_text.h); line feeds in it stay.
InlineResult ParseInline(std::string_view source, const InlineOptions& options = {});

}  // namespace flashmoe::terminal
