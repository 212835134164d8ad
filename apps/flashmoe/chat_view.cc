#include "apps/flashmoe/chat_view.h"

#include <fmt/format.h>

#include <limits>
#include <optional>

#include "apps/flashmoe/chat_tools.h"
#include "apps/flashmoe/command_line.h"
#include "base/clock.h"
#include "terminal/folding_text.h"
#include "terminal/layout.h"
#include "terminal/markdown.h"
#include "terminal/terminal_mode.h"

namespace flashmoe::cli {
namespace {

constexpr size_t kOutputRows = 10;

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \n") == std::string_view::npos;
}

class TerminalView : public ChatView {
 public:
  void OnEvent(const AnswerEvent& event) override {
    ClearProgress();
    switch (event.kind) {
      case AnswerEvent::Kind::kReasoning:
        if (!thinking_ && IsBlank(event.text)) break;
        EndText();
        Think(event.text);
        break;
      case AnswerEvent::Kind::kText:
        if (!text_ && IsBlank(event.text)) break;
        EndThinking();
        if (!text_) text_.emplace(OutputSink(), terminal::CurrentScreenSize());
        text_->SetSize(terminal::CurrentScreenSize());
        text_->Push(event.text);
        break;
      case AnswerEvent::Kind::kCallBegin:
        EndThinking();
        EndText();
        call_ = {};
        call_.name = event.text;
        call_area_.emplace(OutputSink(), terminal::CurrentScreenSize());
        ShowCall(event.text + " …");
        break;
      case AnswerEvent::Kind::kCallArguments:
        call_.arguments += event.text;
        break;
      case AnswerEvent::Kind::kCallEnd:
        EndCall(event.complete ? ToolBox::Describe(call_) : call_.name + ": cut short, not run");
        break;
    }
  }

  void EndAnswer() override {
    ClearProgress();
    EndThinking();
    EndText();
    if (call_area_) EndCall(call_.name + ": cut short, not run");
  }

  void EndTurn() override { OutputSink()("\n"); }

  void Say(std::string_view text) override { PrintRows(text, terminal::kPlain); }
  void Remark(std::string_view text) override { PrintRows(text, terminal::kDim); }
  void Warn(std::string_view text) override { PrintRows(text, terminal::kWarning); }
  int columns() const override { return terminal::CurrentScreenSize().columns - 1; }
  void ShowDim(std::string_view text) override {
    PrintRows(terminal::Harmless(text), terminal::kDim);
  }

  void ShowOutput(std::string_view text) override {
    const terminal::ScreenSize size = terminal::CurrentScreenSize();
    const terminal::Prefix prefix = {{{"  │ ", terminal::kDim}}, {{"  │ ", terminal::kDim}}};
    std::vector<terminal::Row> rows = terminal::WrapColumns(
        {{terminal::Harmless(text), terminal::kDim}}, size.columns - 1, prefix);
    const size_t left = rows.size() > kOutputRows ? rows.size() - kOutputRows + 1 : 0;
    if (left > 0) {
      rows.resize(kOutputRows - 1);
      rows.push_back(
          terminal::MakeRow({{fmt::format("  │ … {} more lines", left), terminal::kDim}}));
    }
    terminal::LiveArea(OutputSink(), size).Update(rows, {});
  }

 private:
  void Think(std::string_view text) {
    if (!thinking_) {
      thinking_.emplace(OutputSink(), terminal::CurrentScreenSize());
      thinking_since_ = NowSeconds();
    }
    thinking_->SetSize(terminal::CurrentScreenSize());
    thinking_->Push(text);
  }

  void EndThinking() {
    if (!thinking_) return;
    thinking_->Fold(
        fmt::format("thought for {:.1f} s (/think shows it)", NowSeconds() - thinking_since_));
    thinking_.reset();
  }

  void EndText() {
    if (text_) text_->Finish();
    text_.reset();
  }

  void ShowCall(std::string_view text) {
    const terminal::Spans spans = {{terminal::Harmless(text), terminal::kPlain}};
    const terminal::Prefix prefix = {{{"▸ ", terminal::kCode}}, {{"  ", terminal::kPlain}}};
    call_area_->Update({}, terminal::WrapColumns(spans, call_area_->size().columns - 1, prefix));
  }

  void EndCall(std::string_view text) {
    ShowCall(text);
    call_area_->Keep();
    call_area_.reset();
  }

  static void PrintRows(std::string_view text, terminal::Style style) {
    const terminal::ScreenSize size = terminal::CurrentScreenSize();
    const auto rows = terminal::WrapText({{std::string(text), style}}, size.columns - 1);
    terminal::LiveArea(OutputSink(), size).Update(rows, {});
  }

  std::optional<terminal::FoldingText> thinking_;
  double thinking_since_ = 0;
  std::optional<terminal::MarkdownWriter> text_;
  ToolCall call_;
  std::optional<terminal::LiveArea> call_area_;
};

class PlainView : public ChatView {
 public:
  explicit PlainView(bool verbose) : verbose_(verbose) {}

  void OnEvent(const AnswerEvent& event) override {
    if (event.kind == AnswerEvent::Kind::kCallBegin) {
      call_ = {};
      call_.name = event.text;
    }
    if (event.kind == AnswerEvent::Kind::kCallArguments) call_.arguments += event.text;
    if (event.kind == AnswerEvent::Kind::kCallEnd) {
      EndAnswer();
      if (verbose_) PrintNote(Printable(ToolBox::Describe(call_)));
    }
    if (event.kind != AnswerEvent::Kind::kText || event.text.empty()) return;
    OutputSink()(event.text);
    line_open_ = event.text.back() != '\n';
  }
  void EndAnswer() override {
    if (line_open_) OutputSink()("\n");
    line_open_ = false;
  }
  void EndTurn() override {}
  void Say(std::string_view text) override { PrintNote(text); }
  void Remark(std::string_view text) override {
    if (verbose_) PrintNote(text);
  }
  void Warn(std::string_view text) override { PrintNote(text); }
  int columns() const override { return std::numeric_limits<int>::max(); }
  void ShowOutput(std::string_view text) override {
    if (verbose_) PrintNote(terminal::Harmless(text));
  }
  void ShowDim(std::string_view text) override { PrintNote(terminal::Harmless(text)); }

 private:
  const bool verbose_;
  bool line_open_ = false;
  ToolCall call_;
};

}  // namespace

terminal::Sink OutputSink() {
  return [](std::string_view bytes) {
    Print(bytes);
    [[maybe_unused]] const Status later = FinishOutput();  // a closed output is seen after the turn
  };
}

std::unique_ptr<ChatView> MakeTerminalView() { return std::make_unique<TerminalView>(); }

std::unique_ptr<ChatView> MakePlainView(bool verbose) {
  return std::make_unique<PlainView>(verbose);
}

}  // namespace flashmoe::cli
