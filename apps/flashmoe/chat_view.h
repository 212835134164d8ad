// How a chat looks: on a terminal, or as plain text where there is none.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "chat/answer.h"
#include "terminal/live_area.h"

namespace flashmoe::cli {

class ChatView {
 public:
  virtual ~ChatView() = default;

  // One answer, event by event.
  virtual void OnEvent(const AnswerEvent& event) = 0;
  // What was begun is ended, and the cursor is at the beginning of a line.
  virtual void EndAnswer() = 0;
  // The user is next.
  virtual void EndTurn() = 0;

  // Something that this program says, on lines of its own. What it holds of other people's text
  // must be harmless already.
  virtual void Say(std::string_view text) = 0;
  // The same, less prominent: figures after an answer.
  virtual void Remark(std::string_view text) = 0;
  virtual void Warn(std::string_view text) = 0;
  // That a line may take.
  virtual int columns() const = 0;
  // The output of a tool.
  virtual void ShowOutput(std::string_view text) = 0;
  // Text of the model or the user's system prompt, dim and whole.
  virtual void ShowDim(std::string_view text) = 0;
};

// Markdown, colours, thinking that folds.
std::unique_ptr<ChatView> MakeTerminalView();
// Answers go to standard output as they are; what is said besides goes to standard error, figures,
// calls and their results only if `verbose`.
std::unique_ptr<ChatView> MakePlainView(bool verbose);

// To standard output at once.
terminal::Sink OutputSink();

}  // namespace flashmoe::cli
