#include "text/detokenizer.h"

#include "text/utf8.h"

namespace flashmoe {

std::string Utf8Stream::Push(std::string_view bytes) {
  pending_.append(bytes);
  std::string_view rest = pending_;
  std::string text;
  while (!rest.empty()) {
    const Utf8Char c = DecodeUtf8(rest);
    if (c.kind == Utf8Char::Kind::kTruncated) break;
    if (c.kind == Utf8Char::Kind::kValid) {
      text.append(rest.substr(0, c.bytes));
    } else {
      AppendUtf8(kReplacementCharacter, text);
    }
    rest.remove_prefix(c.bytes);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return text;
}

std::string Utf8Stream::Finish() {
  std::string text;
  if (!pending_.empty()) AppendUtf8(kReplacementCharacter, text);
  pending_.clear();
  return text;
}

}  // namespace flashmoe
