// What a model writes, told apart while it is being written: thinking, text and tool calls in the
// forms of Qwen3.5 (XML) and Qwen3 (JSON).
//
//   <think> ... </think>                               thinking; the prompt may have opened it
//   <tool_call><function=NAME><parameter=KEY>VALUE</parameter>...</function></tool_call>
//   <tool_call>{"name": NAME, "arguments": {...}}</tool_call>
//
// Nothing of a call is ever given out as text, and however the output is cut into pieces, the
// events are the same (deltas joined).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chat/answer.h"
#include "chat/chat_request.h"

namespace flashmoe {

struct OutputParserOptions {
  bool starts_in_thinking = false;   // the prompt ended with "<think>" (render_chat.h knows)
  bool tool_calls = false;           // look for calls; otherwise their marks are text
  std::vector<ChatTool> tools = {};  // their schemas give XML arguments their types
};

class OutputParser {
 public:
  explicit OutputParser(OutputParserOptions options);
  OutputParser(OutputParser&&) noexcept;
  OutputParser& operator=(OutputParser&&) noexcept;
  ~OutputParser();

  // Takes the next piece of the output, of whole characters. What may become a mark is held back
  // until that is decided.
  std::vector<AnswerEvent> Push(std::string_view text);

  // The end of the output. A call that is not whole by now ends with `complete` false. `cut_off`: a
  // limit ended it, so what might have become a mark is left out; otherwise it is text.
  std::vector<AnswerEvent> Finish(bool cut_off = false);

  // True as long as what comes is thinking.
  bool thinking() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flashmoe
