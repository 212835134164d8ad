// Markdown's blocks, a line at a time: quotes and lists that nest, and what stands in them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "terminal/leaf_block.h"
#include "terminal/live_area.h"

namespace flashmoe::terminal {

// A value: a copy can be fed the beginning of a line to see what it would look like. Follows
// CommonMark and GitHub's tables, and is lenient where models often are not exact: nested lists may
// be indented by two columns, code in a list by none, and line feeds in a paragraph are kept.
class BlockParser {
 public:
  explicit BlockParser(ScreenSize size) { SetSize(size); }
  void SetSize(ScreenSize size);

  // A whole line without its line feed. `line` is harmless text (terminal/safe_text.h).
  void AddLine(std::string_view line);
  // More of the line before, which was the beginning of one. REQUIRES: InCutParagraph().
  void ExtendLine(std::string_view text) {
    leaf_.ExtendParagraphLine(text);
    Collect();
  }
  void Finish();

  bool InFence() const { return leaf_.kind() == LeafBlock::Kind::kFence; }
  bool InTable() const { return leaf_.kind() == LeafBlock::Kind::kTable; }
  bool InCutParagraph() const {
    return leaf_.kind() == LeafBlock::Kind::kParagraph && leaf_.WasCut();
  }

  std::vector<Row> TakeDone() { return std::exchange(done_, {}); }
  std::vector<Row> LiveRows() const { return leaf_.LiveRows(); }

 private:
  struct Container {
    bool quote = false;
    size_t content = 0;  // columns up to an item's text
    size_t marker = 0;   // columns up to its marker
    std::string label;   // "• " or "12. "
    bool shown = false;
  };

  size_t MatchContainers(std::string_view& line) const;
  bool AddToFence(std::string_view line);
  bool InterruptsParagraph(std::string_view line, bool leaving_item) const;
  void CloseContainers(size_t keep);
  bool OpenContainer(std::string_view& line);
  void AddLeafLine(std::string_view line);
  bool AddToOpenLeaf(std::string_view line);
  void OpenLeaf(std::string_view line);
  void CloseLeaf();
  Prefix TakePrefix();
  void Separate(bool always);
  void Emit(std::vector<Row> rows);
  void Collect() { Emit(leaf_.TakeDone()); }
  int width() const { return size_.columns - 1; }

  ScreenSize size_;
  std::vector<Container> containers_;
  LeafBlock leaf_;
  char fence_mark_ = 0;
  size_t fence_length_ = 0, fence_indent_ = 0;
  bool blank_before_ = false;   // the source has a blank line here
  bool separate_next_ = false;  // the block before wants a blank row behind it
  bool anything_shown_ = false;
  std::vector<Row> done_;
};

}  // namespace flashmoe::terminal
