#include "chat/plain_contents.h"

#include <algorithm>
#include <string>
#include <utility>

#include "text/ordered_json.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

// The request is rendered once more, with a mark in every text that could become a token. The mark
// is a letter that the prompt has not: templates neither trim nor escape it, and without the marks
// the two renderings must be the same.
constexpr char32_t kFirstMark = 0x20000, kLastMark = 0x2A6DF;

std::string UnusedLetter(std::string_view prompt) {
  std::vector<bool> used(kLastMark - kFirstMark + 1);
  for (size_t at = 0; at < prompt.size(); ++at) {
    if (static_cast<unsigned char>(prompt[at]) < 0xF0) continue;
    size_t bytes;
    const char32_t code = DecodeValidUtf8(&prompt[at], &bytes);
    if (code >= kFirstMark && code <= kLastMark) used[code - kFirstMark] = true;
  }
  const auto unused = std::ranges::find(used, false) - used.begin();
  std::string letter;
  AppendUtf8(kFirstMark + static_cast<char32_t>(unused), letter);
  return letter;
}

bool Continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

class Marker {
 public:
  // `tags`: outside the system's and the assistant's words, added tokens of all kinds are marked.
  Marker(const Tokenizer& tokenizer, std::string mark, bool tags)
      : tokenizer_(tokenizer), mark_(std::move(mark)), tags_(tags) {}

  Json Request(Json request) {
    for (Json& message : request["messages"]) message = Message(message);
    if (request.contains("tools")) request["tools"] = All(request["tools"], tags_);
    return request;
  }
  size_t count() const { return count_; }

 private:
  Json Message(const Json& message) {
    const Json& role = message["role"];
    const bool tags = tags_ && role != "system" && role != "assistant";
    Json out = Json::object();
    for (const auto& [key, member] : message.items()) {
      out[key] = key == "role" ? member : All(member, tags);
    }
    return out;
  }

  // Names as well as values: both may be printed.
  Json All(const Json& json, bool tags) {
    if (json.is_string()) return Text(json.get_ref<const std::string&>(), tags);
    Json out = json;
    if (json.is_array()) {
      for (Json& item : out) item = All(item, tags);
    } else if (json.is_object()) {
      out.clear();
      for (const auto& [key, member] : json.items()) {
        out[Text(key, tags)] = key == "arguments" ? Arguments(member, tags) : All(member, tags);
      }
    }
    return out;
  }

  // The text of an object may spell a token with escapes.
  Json Arguments(const Json& arguments, bool tags) {
    if (!arguments.is_string()) return All(arguments, tags);
    const auto parsed = ParseOrderedJson(arguments.get_ref<const std::string&>());
    return parsed.has_value() && parsed->is_object() ? All(*parsed, tags) : arguments;
  }

  // The mark stands behind the first letter of a token's text.
  std::string Text(const std::string& text, bool tags) {
    const std::vector<size_t> places = tokenizer_.AddedPlaces(text, /*special_only=*/!tags);
    count_ += places.size();
    std::string out;
    size_t done = 0;
    for (const size_t place : places) {
      size_t end = place + 1;
      while (end < text.size() && Continues(text[end])) ++end;
      out.append(text, done, end - done).append(mark_);
      done = end;
    }
    return out.append(text, done);
  }

  const Tokenizer& tokenizer_;
  const std::string mark_;
  const bool tags_;
  size_t count_ = 0;
};

struct Unmarked {
  std::string text;
  std::vector<size_t> places;  // of the letters that marks stood behind
};

Unmarked Unmark(std::string_view marked, std::string_view mark) {
  Unmarked out;
  for (size_t at = 0; at < marked.size();) {
    const size_t found = std::min(marked.find(mark, at), marked.size());
    out.text.append(marked, at, found - at);
    at = found + mark.size();
    if (found == marked.size() || out.text.empty()) continue;
    size_t place = out.text.size() - 1;
    while (place > 0 && Continues(out.text[place])) --place;
    out.places.push_back(place);
  }
  return out;
}

}  // namespace

Result<std::vector<size_t>> PlainPlaces(const ChatTemplate& chat_template,
                                        const Tokenizer& tokenizer, const Json& request,
                                        std::string_view prompt) {
  const std::string mark = UnusedLetter(prompt);
  for (const bool tags : {true, false}) {
    Marker marker(tokenizer, mark, tags);
    const Json marked = marker.Request(request);
    if (marker.count() == 0) return std::vector<size_t>();
    const Result<std::string> rendered = chat_template.Render(marked);
    if (!rendered.has_value()) continue;
    Unmarked unmarked = Unmark(*rendered, mark);
    if (unmarked.text == prompt) return std::move(unmarked.places);
  }
  return InvalidInput(
      "a message holds the text of a control token, which the chat template changes", "messages",
      "leave texts like <|im_start|> out of it");
}

}  // namespace flashmoe
