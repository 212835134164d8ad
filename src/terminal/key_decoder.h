// The bytes that a terminal sends for keys, as keys.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flashmoe::terminal {

struct Key {
  enum class Kind {
    kText,   // `text`: one or more characters that were typed
    kPaste,  // `text`: what was pasted, line feeds and all
    kEnter,
    kNewLine,  // Alt-Enter, Ctrl-J: a line feed within the input
    kTab,
    kBackspace,
    kDelete,
    kLeft,
    kRight,
    kUp,
    kDown,
    kHome,
    kEnd,
    kWordLeft,
    kWordRight,
    kDeleteWordLeft,
    kDeleteWordRight,
    kControl,  // `text`: the letter held with Ctrl, in lower case
    kEscape,
    kUnknown,  // a sequence that means nothing here
  };
  Kind kind = Kind::kUnknown;
  std::string text = {};
  bool operator==(const Key&) const = default;
};

class KeyDecoder {
 public:
  // All keys that are complete with these bytes. Text and pastes are harmless
  // (terminal/safe_text.h).
  std::vector<Key> Push(std::string_view bytes);
  // Nothing came for a moment: what was begun is all there is (a lone Esc).
  std::vector<Key> Flush();
  bool pending() const { return !held_.empty() && !pasting_; }

 private:
  size_t Take(std::vector<Key>& keys, bool final);
  size_t TakeEscape(std::vector<Key>& keys, bool final);
  size_t TakePaste(std::vector<Key>& keys);

  std::string held_;
  bool pasting_ = false;
};

}  // namespace flashmoe::terminal
