#include "terminal/inline_markdown.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <set>
#include <utility>

#include "terminal/glyphs.h"

namespace flashmoe::terminal {
namespace {

// Nobody writes so long a heading or cell; matching is quadratic at worst.
constexpr size_t kSourceBytesMax = 16'384;

// A piece of text, or a run of *, _ or ~ that may turn out to be emphasis.
struct Node {
  std::string text;
  Style style = kPlain;
  char mark = 0;  // of a run; `text` then holds what is left of it
  bool can_open = false, can_close = false;
  size_t length = 0;  // of the run, as written
};

struct Bracket {
  size_t node;  // of the "["
  bool image;
};

bool IsAsciiPunctuation(char c) { return std::ispunct(static_cast<unsigned char>(c)) != 0; }

class InlineParser {
 public:
  InlineParser(std::string_view source, const InlineOptions& options)
      : source_(source), options_(options) {}

  InlineResult Parse() {
    while (at_ < source_.size()) Step();
    FlushText();
    MatchRuns(0);
    const bool pending = pending_ || !brackets_.empty() || HasOpenRun();
    if (options_.open_ended) CloseOpenRuns();
    return {Collect(), pending};
  }

 private:
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }

  void Step() {
    switch (source_[at_]) {
      case '\\':
        return Escape();
      case '`':
        return Code();
      case '*':
      case '_':
      case '~':
        return Run();
      case '[':
        return OpenBracket(false);
      case '!':
        return Peek(1) == '[' ? OpenBracket(true) : Literal(1);
      case ']':
        return CloseBracket();
      case '<':
        return Angle();
      case '&':
        return Entity();
      case ' ':
        return Spaces();
      case 'h':
        return BareLink();
      default:
        return Literal(1);
    }
  }

  void Literal(size_t bytes) {
    text_ += source_.substr(at_, bytes);
    at_ += bytes;
  }

  void FlushText() {
    if (!text_.empty()) AddNode(std::exchange(text_, {}), kPlain);
  }

  void AddNode(std::string text, Style style) {
    Node node;
    node.text = std::move(text);
    node.style = style;
    nodes_.push_back(std::move(node));
  }

  void Escape() {
    if (Peek(1) == '\n' || IsAsciiPunctuation(Peek(1))) ++at_;
    Literal(1);
  }

  // Spaces before a line feed and at the end say nothing.
  void Spaces() {
    const size_t end = std::min(source_.find_first_not_of(' ', at_), source_.size());
    if (end == source_.size() || source_[end] == '\n') {
      if (end == source_.size() && options_.open_ended) return Literal(end - at_);
      at_ = end;
    } else {
      Literal(end - at_);
    }
  }

  void Code() {
    const size_t ticks = std::min(source_.find_first_not_of('`', at_), source_.size()) - at_;
    const std::optional<size_t> end = ClosingTicks(at_ + ticks, ticks);
    if (!end && !options_.open_ended) {
      pending_ = true;
      return Literal(ticks);
    }
    std::string code(source_.substr(at_ + ticks, end.value_or(source_.size()) - at_ - ticks));
    std::replace(code.begin(), code.end(), '\n', ' ');
    if (code.size() > 2 && code.front() == ' ' && code.back() == ' ' &&
        code.find_first_not_of(' ') != std::string::npos) {
      code = code.substr(1, code.size() - 2);
    }
    FlushText();
    AddNode(std::move(code), kCode);
    at_ = end ? *end + ticks : source_.size();
    pending_ = pending_ || !end;
  }

  std::optional<size_t> ClosingTicks(size_t from, size_t ticks) {
    if (unclosed_.contains(ticks)) return std::nullopt;
    while (true) {
      const size_t begin = source_.find('`', from);
      if (begin == std::string_view::npos) break;
      const size_t end = std::min(source_.find_first_not_of('`', begin), source_.size());
      if (end - begin == ticks) return begin;
      from = end;
    }
    unclosed_.insert(ticks);
    return std::nullopt;
  }

  // CommonMark's left- and right-flanking rules.
  void Run() {
    const char mark = source_[at_];
    const size_t end = std::min(source_.find_first_not_of(mark, at_), source_.size());
    const size_t length = end - at_;
    if (mark == '~' && length > 2) return Literal(length);
    const char32_t before =
        at_ == 0 ? ' ' : NextGlyph(source_.substr(PreviousGlyph(source_, at_))).code;
    const char32_t after = end == source_.size() ? ' ' : NextGlyph(source_.substr(end)).code;
    const bool left =
        !IsSpace(after) && (!IsPunctuation(after) || IsSpace(before) || IsPunctuation(before));
    const bool right =
        !IsSpace(before) && (!IsPunctuation(before) || IsSpace(after) || IsPunctuation(after));
    FlushText();
    Node node;
    node.text = source_.substr(at_, length);
    node.mark = mark;
    node.length = length;
    node.can_open = mark == '_' ? left && (!right || IsPunctuation(before)) : left;
    node.can_close = mark == '_' ? right && (!left || IsPunctuation(after)) : right;
    nodes_.push_back(std::move(node));
    at_ = end;
  }

  void OpenBracket(bool image) {
    FlushText();
    brackets_.push_back({nodes_.size(), image});
    AddNode(image ? "![" : "[", kPlain);
    at_ += image ? 2 : 1;
  }

  void CloseBracket() {
    if (brackets_.empty()) return Literal(1);
    const Bracket open = brackets_.back();
    brackets_.pop_back();
    std::string target;
    const size_t end = Peek(1) == '(' ? ParseTarget(at_ + 2, target) : 0;
    if (end == 0) {
      if (Peek(1) == '(' && source_.find(')', at_) == std::string_view::npos) pending_ = true;
      return Literal(1);
    }
    FlushText();
    nodes_[open.node].text = open.image ? "🖼 " : "";
    MatchRuns(open.node + 1);
    std::string shown;
    for (size_t i = open.node + 1; i < nodes_.size(); ++i) {
      shown += nodes_[i].text;
      nodes_[i].style |= kLink;
      nodes_[i].mark = 0;
    }
    if (!target.empty() && target != shown && target != "mailto:" + shown) {
      AddNode((shown.empty() ? "" : " ") + std::string("(") + target + ")", kDim);
    }
    at_ = end;
  }

  // `from` is behind "("; returns where the link ends, or 0.
  size_t ParseTarget(size_t from, std::string& target) const {
    size_t i = SkipSpaces(from);
    if (i < source_.size() && source_[i] == '<') {
      const size_t close = source_.find_first_of(">\n", i);
      if (close == std::string_view::npos || source_[close] == '\n') return 0;
      target = source_.substr(i + 1, close - i - 1);
      i = close + 1;
    } else {
      const size_t begin = i;
      int depth = 0;
      for (; i < source_.size() && !std::isspace(static_cast<unsigned char>(source_[i])); ++i) {
        if (source_[i] == '\\' && i + 1 < source_.size()) ++i;
        if (source_[i] == '(') ++depth;
        if (source_[i] == ')' && depth-- == 0) break;
      }
      target = source_.substr(begin, std::min(i, source_.size()) - begin);
    }
    i = SkipSpaces(i);
    if (i < source_.size() && (source_[i] == '"' || source_[i] == '\'')) {  // a title: not shown
      const size_t close = source_.find(source_[i], i + 1);
      if (close == std::string_view::npos) return 0;
      i = SkipSpaces(close + 1);
    }
    return i < source_.size() && source_[i] == ')' ? i + 1 : 0;
  }

  size_t SkipSpaces(size_t i) const {
    return std::min(source_.find_first_not_of(" \n", std::min(i, source_.size())), source_.size());
  }

  // <https://...>, <a@b.c>, <br>; any other tag is shown as it is.
  void Angle() {
    const size_t close = source_.find_first_of("> \n", at_);
    if (close == std::string_view::npos || source_[close] != '>') return Literal(1);
    const std::string inside(source_.substr(at_ + 1, close - at_ - 1));
    if (inside == "br" || inside == "br/") {
      text_ += '\n';
    } else if (inside.find(':') != std::string::npos || inside.find('@') != std::string::npos) {
      FlushText();
      AddNode(inside, kLink);
    } else {
      return Literal(1);
    }
    at_ = close + 1;
  }

  void Entity() {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kEntities = {
        {{"&amp;", "&"},
         {"&lt;", "<"},
         {"&gt;", ">"},
         {"&quot;", "\""},
         {"&#39;", "'"},
         {"&nbsp;", " "}}};
    for (const auto& [name, meaning] : kEntities) {
      if (!source_.substr(at_).starts_with(name)) continue;
      text_ += meaning;
      at_ += name.size();
      return;
    }
    Literal(1);
  }

  // https://..., up to a space; its underscores are no emphasis.
  void BareLink() {
    const std::string_view rest = source_.substr(at_);
    const bool word_begins =
        at_ == 0 || !std::isalnum(static_cast<unsigned char>(source_[at_ - 1]));
    if (!word_begins || (!rest.starts_with("https://") && !rest.starts_with("http://"))) {
      return Literal(1);
    }
    size_t bytes = std::min(rest.find_first_of(" \n\t<>\"`|"), rest.size());
    const std::string_view link = rest.substr(0, bytes);
    const bool closes =
        std::count(link.begin(), link.end(), ')') > std::count(link.begin(), link.end(), '(');
    const std::string_view trailing = closes ? ".,;:!?'*_~)]" : ".,;:!?'*_~]";
    bytes = link.find_last_not_of(trailing) + 1;
    FlushText();
    AddNode(std::string(rest.substr(0, bytes)), kLink);
    at_ += bytes;
  }

  // CommonMark's "process emphasis" over the nodes from `first` on.
  void MatchRuns(size_t first) {
    std::vector<size_t> openers;
    for (size_t i = first; i < nodes_.size(); ++i) {
      if (nodes_[i].mark == 0) continue;
      while (nodes_[i].can_close && !nodes_[i].text.empty() && CloseRun(openers, i)) {
      }
      if (nodes_[i].can_open && !nodes_[i].text.empty()) openers.push_back(i);
    }
    open_runs_ = std::move(openers);
  }

  bool CloseRun(std::vector<size_t>& openers, size_t closer) {
    Node& end = nodes_[closer];
    for (size_t j = openers.size(); j-- > 0;) {
      Node& begin = nodes_[openers[j]];
      if (begin.mark != end.mark || (end.mark == '~' && begin.length != end.length)) continue;
      const bool both = (begin.can_close || end.can_open) && end.mark != '~';
      if (both && (begin.length + end.length) % 3 == 0 &&
          (begin.length % 3 != 0 || end.length % 3 != 0)) {
        continue;
      }
      const size_t marks =
          end.mark == '~' ? end.length : std::min<size_t>({begin.text.size(), end.text.size(), 2});
      Emphasise(openers[j] + 1, closer, end.mark, marks);
      begin.text.resize(begin.text.size() - marks);
      end.text.resize(end.text.size() - marks);
      openers.resize(begin.text.empty() ? j : j + 1);
      return true;
    }
    return false;
  }

  void Emphasise(size_t first, size_t end, char mark, size_t marks) {
    const Style style = mark == '~' ? kStrike : marks == 2 ? kBold : kItalic;
    for (size_t i = first; i < end; ++i) nodes_[i].style |= style;
  }

  bool HasOpenRun() const { return !open_runs_.empty(); }

  void CloseOpenRuns() {
    for (const size_t i : open_runs_) {
      Node& node = nodes_[i];
      if (i + 1 == nodes_.size()) continue;
      if (node.mark != '~' && node.text.size() % 2 == 1)
        Emphasise(i + 1, nodes_.size(), node.mark, 1);
      if (node.text.size() >= 2 || node.mark == '~') {
        Emphasise(i + 1, nodes_.size(), node.mark, 2);
      }
      node.text.clear();
    }
  }

  Spans Collect() const {
    Spans spans;
    for (const Node& node : nodes_) Append(spans, node.text, node.style | options_.base);
    return spans;
  }

  const std::string_view source_;
  const InlineOptions options_;
  size_t at_ = 0;
  std::string text_;  // literal, not yet a node
  std::vector<Node> nodes_;
  std::vector<Bracket> brackets_;
  std::vector<size_t> open_runs_;
  std::set<size_t> unclosed_;  // lengths of backtick runs that nothing closes
  bool pending_ = false;
};

}  // namespace

InlineResult ParseInline(std::string_view source, const InlineOptions& options) {
  if (source.size() > kSourceBytesMax) return {{{std::string(source), options.base}}, false};
  return InlineParser(source, options).Parse();
}

}  // namespace flashmoe::terminal
