#include "terminal/block_parser.h"

#include <algorithm>

#include "terminal/glyphs.h"
#include "terminal/markdown_lines.h"

namespace flashmoe::terminal {
namespace {

constexpr size_t kContainersMax = 12;
constexpr size_t kTabStop = 4;

std::string WithoutTabs(std::string_view line) {
  std::string out;
  size_t i = 0;
  for (; i < line.size() && (line[i] == ' ' || line[i] == '\t'); ++i) {
    out.append(line[i] == ' ' ? 1 : kTabStop - out.size() % kTabStop, ' ');
  }
  return out.append(line.substr(i));
}

std::string_view WithoutIndent(std::string_view line) { return line.substr(IndentOf(line)); }

// "- [ ] task"
std::string_view TakeCheckbox(std::string_view& text) {
  std::string_view box;
  if (text.starts_with("[ ] ")) box = "☐ ";
  if (text.starts_with("[x] ") || text.starts_with("[X] ")) box = "☑ ";
  if (!box.empty()) text.remove_prefix(4);
  return box;
}

}  // namespace

void BlockParser::SetSize(ScreenSize size) {
  size_ = size;
  leaf_.SetSize(size);
}

void BlockParser::Emit(std::vector<Row> rows) {
  std::move(rows.begin(), rows.end(), std::back_inserter(done_));
}

void BlockParser::AddLine(std::string_view source) {
  const std::string expanded = WithoutTabs(source);
  std::string_view line = expanded;
  const size_t matched = MatchContainers(line);
  if (InFence()) {
    const bool quotes_match =
        std::all_of(containers_.begin() + static_cast<ptrdiff_t>(matched), containers_.end(),
                    [](const auto& c) { return !c.quote; });
    if (quotes_match && AddToFence(line)) return;
  }
  if (IsBlank(line)) {
    CloseLeaf();
    CloseContainers(matched);
    blank_before_ = true;
    return;
  }
  if (matched < containers_.size()) {
    const bool lazy = leaf_.kind() == LeafBlock::Kind::kParagraph &&
                      !InterruptsParagraph(line, !containers_[matched].quote);
    if (lazy) {
      leaf_.AddParagraphLine(WithoutIndent(line));
      return Collect();
    }
    CloseLeaf();
    CloseContainers(matched);
  }
  while (OpenContainer(line)) {
  }
  if (!IsBlank(line)) AddLeafLine(line);
}

// How many of the open containers the line continues; takes their marks off it.
size_t BlockParser::MatchContainers(std::string_view& line) const {
  size_t matched = 0;
  for (; matched < containers_.size(); ++matched) {
    const Container& container = containers_[matched];
    const size_t indent = IndentOf(line);
    if (container.quote) {
      if (indent > 3 || !line.substr(indent).starts_with('>')) break;
      line.remove_prefix(indent + 1);
      if (line.starts_with(' ')) line.remove_prefix(1);
    } else if (indent >= container.content || InFence()) {
      line.remove_prefix(std::min(indent, container.content));
    } else if (!IsBlank(line)) {
      const bool nested = indent >= container.marker + 2 && ParseListMarker(line.substr(indent));
      if (!nested) break;
      line.remove_prefix(indent);
    }
  }
  return matched;
}

bool BlockParser::AddToFence(std::string_view line) {
  const size_t indent = IndentOf(line);
  if (indent <= 3 && ClosesFence(line.substr(indent), fence_mark_, fence_length_)) {
    CloseLeaf();
    return true;
  }
  leaf_.AddCodeLine(line.substr(std::min(indent, fence_indent_)));
  Collect();
  return true;
}

bool BlockParser::InterruptsParagraph(std::string_view line, bool leaving_item) const {
  if (IndentOf(line) > 3) return false;
  line = WithoutIndent(line);
  if (line.starts_with('>') || ParseHeading(line) || ParseFence(line) || IsRule(line)) return true;
  const auto marker = ParseListMarker(line);
  return marker && (leaving_item || (!marker->empty &&
                                     (marker->number.empty() || std::stoul(marker->number) == 1)));
}

void BlockParser::CloseContainers(size_t keep) {
  while (containers_.size() > keep) {
    if (!containers_.back().shown && !containers_.back().quote) Emit({MakeRow(TakePrefix().first)});
    containers_.pop_back();
  }
}

bool BlockParser::OpenContainer(std::string_view& line) {
  const size_t indent = IndentOf(line);
  const bool in_paragraph = leaf_.kind() == LeafBlock::Kind::kParagraph;
  if (containers_.size() == kContainersMax || indent > 3 || indent == line.size()) return false;
  std::string_view text = line.substr(indent);
  if (text[0] == '>') {
    CloseLeaf();
    text.remove_prefix(1);
    if (text.starts_with(' ')) text.remove_prefix(1);
    containers_.push_back({.quote = true, .label = "│ "});
    line = text;
    return true;
  }
  const auto marker = ParseListMarker(text);
  const bool underline = in_paragraph && UnderlineLevel(text) > 0;
  if (!marker || IsRule(text) || underline || (in_paragraph && !InterruptsParagraph(text, false))) {
    return false;
  }
  CloseLeaf();
  text.remove_prefix(marker->bytes);
  const auto depth = std::count_if(containers_.begin(), containers_.end(),
                                   [](const Container& c) { return !c.quote; });
  Container item;
  item.content = indent + marker->bytes + (marker->empty && marker->bytes < 2 ? 1 : 0);
  item.marker = indent;
  item.label = !marker->number.empty() ? marker->number + " " : depth % 2 == 0 ? "• " : "◦ ";
  if (marker->number.empty()) {
    if (const auto box = TakeCheckbox(text); !box.empty()) item.label = box;
  }
  containers_.push_back(std::move(item));
  line = text;
  return true;
}

void BlockParser::AddLeafLine(std::string_view line) {
  const std::string_view text = WithoutIndent(line);
  const bool shallow = IndentOf(line) <= 3;
  if (leaf_.kind() == LeafBlock::Kind::kIndentedCode && shallow) CloseLeaf();
  if (shallow && leaf_.kind() == LeafBlock::Kind::kParagraph) {
    if (const int level = UnderlineLevel(text); level > 0 && leaf_.BecomeHeading(level)) {
      Collect();
      separate_next_ = true;
      return;
    }
    if (leaf_.BecomeTable(text)) return Collect();
  }
  if (shallow && InterruptsParagraph(text, false)) CloseLeaf();
  if (!AddToOpenLeaf(line)) OpenLeaf(line);
  Collect();
}

bool BlockParser::AddToOpenLeaf(std::string_view line) {
  switch (leaf_.kind()) {
    case LeafBlock::Kind::kParagraph:
      leaf_.AddParagraphLine(WithoutIndent(line));
      return true;
    case LeafBlock::Kind::kTable:
      leaf_.AddTableRow(line);
      return true;
    case LeafBlock::Kind::kIndentedCode:
      leaf_.AddCodeLine(line.substr(4));
      return true;
    default:
      return false;
  }
}

void BlockParser::OpenLeaf(std::string_view line) {
  const size_t indent = IndentOf(line);
  const std::string_view text = line.substr(indent);
  if (indent > 3) {
    Separate(false);
    leaf_.BeginCode(LeafBlock::Kind::kIndentedCode, TakePrefix());
    leaf_.AddCodeLine(line.substr(4));
  } else if (const auto heading = ParseHeading(text)) {
    Separate(true);
    Emit(HeadingRows(heading->level, heading->text, width(), TakePrefix()));
    separate_next_ = true;
  } else if (IsRule(text)) {
    Separate(false);
    Prefix prefix = TakePrefix();
    std::string rule;
    for (int i = Columns(prefix.first); i < width(); ++i) rule += "─";
    Append(prefix.first, rule, kDim);
    Emit({MakeRow(std::move(prefix.first))});
  } else if (const auto fence = ParseFence(text)) {
    Separate(true);
    Prefix prefix = TakePrefix();
    if (!fence->language.empty()) {
      Append(prefix.first, fence->language, kDim);
      Emit(WrapColumns({}, width(), prefix));
      prefix.first = prefix.rest;
    }
    leaf_.BeginCode(LeafBlock::Kind::kFence, std::move(prefix));
    fence_mark_ = fence->mark;
    fence_length_ = fence->length;
    fence_indent_ = indent;
  } else {
    Separate(false);
    leaf_.BeginParagraph(text, TakePrefix());
  }
}

void BlockParser::CloseLeaf() {
  const LeafBlock::Kind kind = leaf_.kind();
  if (kind == LeafBlock::Kind::kNone) return;
  separate_next_ = kind == LeafBlock::Kind::kFence || kind == LeafBlock::Kind::kTable;
  leaf_.Close();
  Collect();
}

// A blank row before a block, where the source has one or the look wants one.
void BlockParser::Separate(bool always) {
  const bool begins_item = !containers_.empty() && !containers_.back().shown;
  const bool blank = blank_before_ || separate_next_ || (always && !begins_item);
  if (blank && anything_shown_) {
    Spans bars;
    for (const Container& container : containers_) {
      if (!container.shown) break;
      if (container.quote) Append(bars, container.label, kDim);
      if (!container.quote) Append(bars, std::string(Columns(container.label), ' '), kPlain);
    }
    if (!bars.empty() && bars.back().style == kPlain) bars.pop_back();
    Emit({MakeRow(std::move(bars))});
  }
  blank_before_ = false;
  separate_next_ = false;
}

// What stands before the next block's rows: markers of items once, bars of quotes always.
Prefix BlockParser::TakePrefix() {
  Prefix prefix;
  for (Container& container : containers_) {
    const Style style = kDim;
    const std::string room(static_cast<size_t>(Columns(container.label)), ' ');
    if (container.quote) {
      Append(prefix.first, container.label, style);
      Append(prefix.rest, container.label, style);
    } else {
      Append(prefix.first, container.shown ? room : container.label,
             container.shown ? kPlain : style);
      Append(prefix.rest, room, kPlain);
    }
    container.shown = true;
  }
  anything_shown_ = true;
  return prefix;
}

void BlockParser::Finish() {
  CloseLeaf();
  CloseContainers(0);
}

}  // namespace flashmoe::terminal
