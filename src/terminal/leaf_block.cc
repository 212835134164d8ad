#include "terminal/leaf_block.h"

#include <algorithm>

#include "base/check.h"
#include "terminal/glyphs.h"
#include "terminal/inline_markdown.h"

namespace flashmoe::terminal {
namespace {

constexpr int kParagraphBytesMax = 4096;  // kept open at most, however large the screen is
constexpr size_t kNone = std::string::npos;

// Between these a paragraph may be cut: at a space, a line feed, or between two wide characters.
bool MayCut(std::string_view text, size_t at) {
  const char before = text[at - 1];
  if (text[at] == ' ' || text[at] == '\n') return before != '\\' && before != ' ';
  if (static_cast<unsigned char>(text[at]) < 0xC0 || static_cast<unsigned char>(before) < 0x80) {
    return false;
  }
  return NextGlyph(text.substr(at)).columns == 2 &&
         NextGlyph(text.substr(PreviousGlyph(text, at))).columns == 2;
}

}  // namespace

std::vector<Row> HeadingRows(int level, std::string_view text, int width, const Prefix& prefix) {
  const Style style = level == 1 ? kHeading | kUnderline : level == 2 ? kHeading : kBold;
  return WrapText(ParseInline(text, {.base = style}).spans, width, prefix);
}

void LeafBlock::Reset() {
  kind_ = Kind::kNone;
  paragraph_.clear();
  carried_.clear();
  cut_ = false;
  cut_tested_ = 0;
  table_ = {};
  widths_.clear();
}

void LeafBlock::Emit(std::vector<Row> rows) {
  if (rows.empty()) return;
  prefix_.first = prefix_.rest;
  std::move(rows.begin(), rows.end(), std::back_inserter(done_));
}

void LeafBlock::BeginParagraph(std::string_view line, Prefix prefix) {
  FM_CHECK(kind_ == Kind::kNone);
  kind_ = Kind::kParagraph;
  prefix_ = std::move(prefix);
  paragraph_ = line;
  CutParagraph();
}

void LeafBlock::BeginCode(Kind kind, Prefix prefix) {
  FM_CHECK(kind_ == Kind::kNone);
  kind_ = kind;
  prefix_ = std::move(prefix);
}

void LeafBlock::AddParagraphLine(std::string_view line) {
  paragraph_ += '\n';
  ExtendParagraphLine(line);
}

void LeafBlock::ExtendParagraphLine(std::string_view text) {
  paragraph_ += text;
  CutParagraph();
}

void LeafBlock::AddCodeLine(std::string_view line) {
  Prefix prefix = prefix_;
  Append(prefix.first, "  ", kPlain);
  Append(prefix.rest, "  ", kPlain);
  Emit(WrapColumns({{std::string(line), kCode}}, width(), prefix));
}

std::vector<Row> LeafBlock::ParagraphRows(std::string_view source, bool open_ended) const {
  Spans spans = carried_;
  Append(spans, ParseInline(source, {.open_ended = open_ended}).spans);
  return WrapText(spans, width(), prefix_);
}

// A paragraph of B bytes takes at most 2 B / width + 1 rows, as two rows of words together hold
// more than one row's width; a line feed takes a row of its own.
size_t LeafBlock::FindCut() {
  const int columns = std::max(width() - Columns(prefix_.rest), 4);
  const int most =
      std::clamp((size_.rows - 2) * columns / 2 - columns, columns, kParagraphBytesMax);
  int cost = Columns(carried_);
  for (size_t i = 0; i < paragraph_.size(); ++i) {
    cost += paragraph_[i] == '\n' ? columns : 1;
    if (cost <= most / 2 || i < std::max<size_t>(cut_tested_, 1)) continue;
    const bool must = cost > most;
    const bool boundary = (static_cast<unsigned char>(paragraph_[i]) & 0xC0) != 0x80;
    if (cost > 2 * most && boundary) return i;
    if (!MayCut(paragraph_, i)) continue;
    if (must || !ParseInline(std::string_view(paragraph_).substr(0, i)).pending) return i;
    cut_tested_ = i + 1;
  }
  return kNone;
}

void LeafBlock::CutParagraph() {
  for (size_t cut = FindCut(); cut != kNone; cut = FindCut()) {
    std::vector<Row> rows = ParagraphRows(std::string_view(paragraph_).substr(0, cut), false);
    const Spans& shown = rows.size() == 1 ? prefix_.first : prefix_.rest;
    Row last = std::move(rows.back());
    rows.pop_back();
    // What remains of the last row without the prefix.
    Spans spans = WrapText({}, width(), {shown, {}}).front().spans;
    size_t prefix_bytes = 0;
    for (const Span& span : spans) prefix_bytes += span.text.size();
    carried_.clear();
    for (Span& span : last.spans) {
      const size_t skipped = std::min(prefix_bytes, span.text.size());
      prefix_bytes -= skipped;
      Append(carried_, std::string_view(span.text).substr(skipped), span.style);
    }
    Emit(std::move(rows));
    paragraph_.erase(0, cut);
    cut_ = true;
    cut_tested_ = 0;
  }
}

bool LeafBlock::BecomeHeading(int level) {
  if (kind_ != Kind::kParagraph || cut_) return false;
  Emit(HeadingRows(level, paragraph_, width(), prefix_));
  Reset();
  return true;
}

bool LeafBlock::BecomeTable(std::string_view delimiter_row) {
  if (kind_ != Kind::kParagraph) return false;
  const size_t feed = paragraph_.rfind('\n');
  if (feed == kNone && cut_) return false;
  const std::string heading = paragraph_.substr(feed == kNone ? 0 : feed + 1);
  const auto alignments = ParseDelimiterRow(delimiter_row);
  if (!alignments || heading.find('|') == kNone) return false;
  const std::vector<std::string> cells = SplitCells(heading);
  if (cells.size() != alignments->size()) return false;
  if (feed != kNone) {
    Emit(ParagraphRows(std::string_view(paragraph_).substr(0, feed), false));
    Emit({MakeRow(prefix_.rest)});
  }
  Reset();
  kind_ = Kind::kTable;
  table_.alignments = *alignments;
  table_.cells = {cells};
  return true;
}

std::vector<Row> LeafBlock::TableRows() const {
  const int room = std::max(width() - Columns(prefix_.rest), 4);
  const std::vector<int> widths = ColumnWidths(table_, room);
  std::vector<Row> rows;
  for (size_t i = 0; i < table_.cells.size(); ++i) {
    std::vector<Row> more = RenderTableRow(table_, i, widths, prefix_);
    std::move(more.begin(), more.end(), std::back_inserter(rows));
  }
  return rows;
}

void LeafBlock::AddTableRow(std::string_view line) {
  table_.cells.push_back(SplitCells(line));
  if (widths_.empty()) {
    std::vector<Row> rows = TableRows();
    if (static_cast<int>(rows.size()) <= size_.rows - 3) return;
    widths_ = ColumnWidths(table_, std::max(width() - Columns(prefix_.rest), 4));
    Emit(std::move(rows));
  } else {
    Emit(RenderTableRow(table_, 1, widths_, prefix_));
  }
  table_.cells.resize(1);
}

void LeafBlock::Close() {
  if (kind_ == Kind::kParagraph) Emit(ParagraphRows(paragraph_, false));
  if (kind_ == Kind::kTable && widths_.empty()) Emit(TableRows());
  Reset();
}

std::vector<Row> LeafBlock::LiveRows() const {
  if (kind_ == Kind::kTable && widths_.empty()) return TableRows();
  if (kind_ != Kind::kParagraph) return {};
  // What may become the heading of a table is not shown as text before.
  if (!cut_ && paragraph_.starts_with('|') && paragraph_.find('\n') == kNone) return {};
  return ParagraphRows(paragraph_, true);
}

}  // namespace flashmoe::terminal
