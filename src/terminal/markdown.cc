#include "terminal/markdown.h"

#include <algorithm>

#include "terminal/markdown_lines.h"

namespace flashmoe::terminal {

namespace {

// Screens smaller or larger than these are taken to be so.
ScreenSize Bounded(ScreenSize size) {
  return {std::clamp(size.columns, 10, 1000), std::clamp(size.rows, 6, 1000)};
}

}  // namespace

MarkdownWriter::MarkdownWriter(Sink sink, ScreenSize size)
    : blocks_(Bounded(size)), area_(std::move(sink), Bounded(size)) {}

void MarkdownWriter::AddText(std::string_view text) {
  while (!text.empty()) {
    const size_t feed = text.find('\n');
    const std::string_view part = text.substr(0, feed);
    if (extending_) {
      blocks_.ExtendLine(part);
    } else {
      line_ += part;
    }
    if (feed == std::string_view::npos) return;
    if (!extending_) blocks_.AddLine(line_);
    line_.clear();
    extending_ = false;
    text.remove_prefix(feed + 1);
  }
}

void MarkdownWriter::Push(std::string_view text) {
  AddText(safe_.Push(text));
  Show();
}

void MarkdownWriter::Show() {
  std::vector<Row> done = blocks_.TakeDone();
  const bool hidden = line_.empty() || IsUndecided(line_) || blocks_.InTable();
  if (hidden) return area_.Update(done, blocks_.LiveRows());
  BlockParser preview = blocks_;
  std::string_view line = line_;
  if (!blocks_.InFence()) line = line.substr(0, line.find_last_not_of("*_~`") + 1);
  preview.AddLine(line);
  if (preview.InCutParagraph()) {
    // Its beginning is certain, whatever follows.
    if (line.size() < line_.size()) preview.ExtendLine(std::string_view(line_).substr(line.size()));
    blocks_ = preview;
    line_.clear();
    extending_ = true;
    std::vector<Row> more = blocks_.TakeDone();
    done.insert(done.end(), more.begin(), more.end());
    return area_.Update(done, blocks_.LiveRows());
  }
  std::vector<Row> live = preview.TakeDone();
  const std::vector<Row> open = preview.LiveRows();
  live.insert(live.end(), open.begin(), open.end());
  area_.Update(done, live);
}

void MarkdownWriter::Finish() {
  AddText(safe_.Finish());
  if (!line_.empty()) blocks_.AddLine(line_);
  line_.clear();
  extending_ = false;
  blocks_.Finish();
  area_.Update(blocks_.TakeDone(), {});
}

void MarkdownWriter::SetSize(ScreenSize size) {
  blocks_.SetSize(Bounded(size));
  area_.SetSize(Bounded(size));
}

}  // namespace flashmoe::terminal
