#include "terminal/key_decoder.h"

#include <algorithm>
#include <array>
#include <utility>

#include "terminal/safe_text.h"

namespace flashmoe::terminal {
namespace {

using Kind = Key::Kind;

constexpr std::string_view kPasteEnd = "\x1b[201~";
constexpr size_t kSequenceMax = 32;

Key Control(char c) {
  switch (c) {
    case '\r':
      return {Kind::kEnter};
    case '\n':
      return {Kind::kNewLine};
    case '\t':
      return {Kind::kTab};
    case 0x7f:
    case 0x08:
      return {Kind::kBackspace};
    case 0x1b:
      return {Kind::kEscape};
    case 0x17:  // Ctrl-W
      return {Kind::kDeleteWordLeft};
    default:
      if (c >= 1 && c <= 26) return {Kind::kControl, std::string(1, static_cast<char>(c + 96))};
      return {Kind::kUnknown};
  }
}

// What follows ESC [ or ESC O, up to its last byte.
Key Sequence(std::string_view sequence) {
  static constexpr std::array<std::pair<std::string_view, Kind>, 28> kSequences = {
      {{"A", Kind::kUp},
       {"B", Kind::kDown},
       {"C", Kind::kRight},
       {"D", Kind::kLeft},
       {"H", Kind::kHome},
       {"F", Kind::kEnd},
       {"1~", Kind::kHome},
       {"7~", Kind::kHome},
       {"4~", Kind::kEnd},
       {"8~", Kind::kEnd},
       {"3~", Kind::kDelete},
       {"1;5C", Kind::kWordRight},
       {"1;5D", Kind::kWordLeft},
       {"1;3C", Kind::kWordRight},
       {"1;3D", Kind::kWordLeft},
       {"5C", Kind::kWordRight},
       {"5D", Kind::kWordLeft},
       {"c", Kind::kWordRight},
       {"d", Kind::kWordLeft},
       {"1;2C", Kind::kRight},
       {"1;2D", Kind::kLeft},
       {"1;2A", Kind::kUp},
       {"1;2B", Kind::kDown},
       {"3;5~", Kind::kDeleteWordRight},
       {"13;2u", Kind::kNewLine},
       {"13;3u", Kind::kNewLine},
       {"27;2;13~", Kind::kNewLine},
       {"27;3;13~", Kind::kNewLine}}};
  for (const auto& [bytes, kind] : kSequences) {
    if (bytes == sequence) return {kind};
  }
  return {Kind::kUnknown};
}

// Alt and a key come as ESC and that key.
Key WithAlt(char c) {
  switch (c) {
    case '\r':
    case '\n':
      return {Kind::kNewLine};
    case 'b':
    case 'B':
      return {Kind::kWordLeft};
    case 'f':
    case 'F':
      return {Kind::kWordRight};
    case 'd':
    case 'D':
      return {Kind::kDeleteWordRight};
    case 0x7f:
    case 0x08:
      return {Kind::kDeleteWordLeft};
    default:
      return {Kind::kUnknown};
  }
}

// Whether the text ends within a character that more bytes could complete.
size_t WholeCharacters(std::string_view text) {
  SafeText safe;
  safe.Push(text);
  // What Finish() gives are three bytes for each one that was held.
  return text.size() - safe.Finish().size() / 3;
}

}  // namespace

std::vector<Key> KeyDecoder::Push(std::string_view bytes) {
  held_ += bytes;
  std::vector<Key> keys;
  while (!held_.empty()) {
    const size_t taken = pasting_ ? TakePaste(keys) : Take(keys, false);
    if (taken == 0) break;
    held_.erase(0, taken);
  }
  return keys;
}

std::vector<Key> KeyDecoder::Flush() {
  std::vector<Key> keys;
  while (!held_.empty() && !pasting_) held_.erase(0, Take(keys, true));
  return keys;
}

// The first key of what is held; 0 bytes if it is not complete.
size_t KeyDecoder::Take(std::vector<Key>& keys, bool final) {
  const auto first = static_cast<unsigned char>(held_[0]);
  if (first == 0x1b) return TakeEscape(keys, final);
  if (first < ' ' || first == 0x7f) {
    keys.push_back(Control(held_[0]));
    return 1;
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  const auto end = std::find_if(held_.begin(), held_.end(), is_control);
  std::string_view text(held_.data(), static_cast<size_t>(end - held_.begin()));
  if (!final && end == held_.end()) text = text.substr(0, WholeCharacters(text));
  if (!text.empty()) keys.push_back({Kind::kText, Harmless(text)});
  return text.size();
}

size_t KeyDecoder::TakeEscape(std::vector<Key>& keys, bool final) {
  if (held_.size() == 1) {
    if (final) keys.push_back({Kind::kEscape});
    return final ? 1 : 0;
  }
  if (held_[1] != '[' && held_[1] != 'O') {
    keys.push_back(WithAlt(held_[1]));
    return 2;
  }
  size_t end = 2;
  while (end < held_.size() && held_[end] >= ' ' && held_[end] <= '?') ++end;
  if (end == held_.size()) {
    if (!final && end < kSequenceMax) return 0;
    keys.push_back({Kind::kUnknown});
    return end;
  }
  const std::string_view sequence = std::string_view(held_).substr(2, end - 1);
  if (sequence == "200~") {
    pasting_ = true;
  } else {
    keys.push_back(Sequence(sequence));
  }
  return end + 1;
}

size_t KeyDecoder::TakePaste(std::vector<Key>& keys) {
  const size_t end = held_.find(kPasteEnd);
  if (end == std::string::npos) return 0;
  std::string text = held_.substr(0, end);
  // Terminals send the line feeds of what is pasted as carriage returns.
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') text[i] = i + 1 < text.size() && text[i + 1] == '\n' ? ' ' : '\n';
  }
  keys.push_back({Kind::kPaste, Harmless(text)});
  pasting_ = false;
  return end + kPasteEnd.size();
}

}  // namespace flashmoe::terminal
