// The block that text goes into: a paragraph, code or a table, from source to rows.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "terminal/layout.h"
#include "terminal/live_area.h"
#include "terminal/table.h"

namespace flashmoe::terminal {

// What can be shown for good is handed out as soon as it is certain, so that the rest always fits
// the screen: of code every line, of a paragraph its beginning when it grows beyond half a screen,
// of a table everything once it is as high as the screen (columns then keep their widths). Where
// that happens depends on the source alone and not on when it came.
class LeafBlock {
 public:
  enum class Kind { kNone, kParagraph, kFence, kIndentedCode, kTable };

  Kind kind() const { return kind_; }
  void SetSize(ScreenSize size) { size_ = size; }

  // REQUIRES: kind() is kNone.
  void BeginParagraph(std::string_view line, Prefix prefix);
  void BeginCode(Kind kind, Prefix prefix);

  // A further line of a paragraph, or more of its last line.
  void AddParagraphLine(std::string_view line);
  void ExtendParagraphLine(std::string_view text);
  void AddCodeLine(std::string_view line);
  // If the paragraph's last line can be the heading of a table with this delimiter row, it becomes
  // one; earlier lines are a paragraph before it.
  bool BecomeTable(std::string_view delimiter_row);
  void AddTableRow(std::string_view line);
  // If the paragraph is still whole, it becomes a heading; see HeadingRows.
  bool BecomeHeading(int level);
  void Close();

  // What is certain now and was not handed out before.
  std::vector<Row> TakeDone() { return std::exchange(done_, {}); }
  // What would be shown if the source ended here.
  std::vector<Row> LiveRows() const;
  // A part of the paragraph has been handed out.
  bool WasCut() const { return cut_; }

 private:
  int width() const { return size_.columns - 1; }
  std::vector<Row> ParagraphRows(std::string_view source, bool open_ended) const;
  void CutParagraph();
  size_t FindCut();
  std::vector<Row> TableRows() const;
  void Emit(std::vector<Row> rows);
  void Reset();

  Kind kind_ = Kind::kNone;
  ScreenSize size_;
  Prefix prefix_;
  std::vector<Row> done_;

  std::string paragraph_;
  Spans carried_;  // the last row of what was cut off, before `paragraph_`
  bool cut_ = false;
  size_t cut_tested_ = 0;  // no cut is possible before

  Table table_;
  std::vector<int> widths_;  // once they are fixed
};

// `text` is the heading's markdown.
std::vector<Row> HeadingRows(int level, std::string_view text, int width, const Prefix& prefix);

}  // namespace flashmoe::terminal
