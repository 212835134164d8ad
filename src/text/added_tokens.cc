#include "text/added_tokens.h"

#include <algorithm>

#include "text/unicode_tables.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

bool HasFlag(char32_t code, CodeFlags flag) { return (CodeFlagsOf(code) & flag) != 0; }

size_t CharStart(std::string_view text, size_t end) {
  do {
    --end;
  } while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

bool TouchesWord(std::string_view text, size_t begin, size_t end) {
  size_t bytes;
  if (begin > 0 && HasFlag(DecodeValidUtf8(&text[CharStart(text, begin)], &bytes), kCodeWord)) {
    return true;
  }
  return end < text.size() && HasFlag(DecodeValidUtf8(&text[end], &bytes), kCodeWord);
}

// Where the white space that ends at `end` begins; not before `min`.
size_t SpaceBegin(std::string_view text, size_t min, size_t end) {
  while (end > min) {
    const size_t start = CharStart(text, end);
    size_t bytes;
    if (!HasFlag(DecodeValidUtf8(&text[start], &bytes), kCodeSpace)) break;
    end = start;
  }
  return end;
}

size_t SpaceEnd(std::string_view text, size_t begin) {
  while (begin < text.size()) {
    size_t bytes;
    if (!HasFlag(DecodeValidUtf8(&text[begin], &bytes), kCodeSpace)) break;
    begin += bytes;
  }
  return begin;
}

}  // namespace

int32_t AddedTokenMatcher::Child(int32_t node, char byte) const {
  for (const auto& [key, child] : nodes_[static_cast<size_t>(node)].children) {
    if (key == byte) return child;
  }
  return -1;
}

void AddedTokenMatcher::Add(const TokenizerSpec::Added& token) {
  int32_t node = 0;
  for (const char byte : token.text) {
    int32_t child = Child(node, byte);
    if (child < 0) {
      child = static_cast<int32_t>(nodes_.size());
      nodes_[static_cast<size_t>(node)].children.emplace_back(byte, child);
      nodes_.emplace_back();
    }
    node = child;
  }
  first_bytes_[static_cast<unsigned char>(token.text[0])] = true;
  int32_t& index = nodes_[static_cast<size_t>(node)].token;
  if (index >= 0) return;
  index = static_cast<int32_t>(tokens_.size());
  tokens_.push_back({token.id, token.lstrip, token.rstrip, token.single_word});
}

AddedTokenMatcher::Match AddedTokenMatcher::Longest(std::string_view text, size_t at) const {
  Match longest{.end = at};
  int32_t node = 0;
  while (at < text.size() && (node = Child(node, text[at])) >= 0) {
    ++at;
    const int32_t token = nodes_[static_cast<size_t>(node)].token;
    if (token >= 0) longest = {.token = token, .end = at};
  }
  longest.cut_off = node >= 0 && !nodes_[static_cast<size_t>(node)].children.empty();
  return longest;
}

std::vector<AddedTokenMatcher::Span> AddedTokenMatcher::Split(std::string_view text,
                                                              std::span<const size_t> plain) const {
  std::vector<Span> spans;
  auto next_plain = plain.begin();
  size_t done = 0;       // end of the last span
  size_t space_end = 0;  // of the white space that the last `rstrip` swallowed
  for (size_t at = 0; at < text.size();) {
    if (!first_bytes_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    next_plain = std::find_if(next_plain, plain.end(), [&](size_t p) { return p >= at; });
    const bool is_plain = next_plain != plain.end() && *next_plain == at;
    const Match match = is_plain ? Match() : Longest(text, at);
    if (match.token < 0) {
      ++at;
      continue;
    }
    const Token& token = tokens_[static_cast<size_t>(match.token)];
    size_t begin = at, end = match.end;
    at = match.end;  // the search goes on here even where white space was swallowed
    if (token.single_word && TouchesWord(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(SpaceBegin(text, std::min(done, begin), begin), done);
    if (token.rstrip) end = space_end = end < space_end ? space_end : SpaceEnd(text, end);
    end = std::max(begin, end);
    if (done < begin) spans.push_back({-1, done, begin});
    spans.push_back({token.id, begin, end});
    done = end;
  }
  if (done < text.size()) spans.push_back({-1, done, text.size()});
  return spans;
}

}  // namespace flashmoe
