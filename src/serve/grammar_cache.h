// Grammars of requests, compiled once: agents send the same tools with every request, and a grammar
// remembers the masks it has computed.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/status.h"
#include "chat/chat_request.h"
#include "grammar/grammar.h"

namespace flashmoe {

using GrammarPtr = std::shared_ptr<const Grammar>;

// Thread-safe.
class GrammarCache {
 public:
  explicit GrammarCache(size_t entries_max = 32) : entries_max_(entries_max) {}

  // What the answer may look like by tools, tool choice and response format; null: anything.
  Result<GrammarPtr> ForChat(const ChatRequest& request, ToolCallForm form,
                             bool starts_in_thinking);
  // The same for a text without a chat around it.
  Result<GrammarPtr> ForFormat(const ResponseFormat& format);

  size_t size() const;

 private:
  Result<GrammarPtr> Find(const std::string& key,
                          const std::function<Result<GrammarPtr>()>& compile);

  const size_t entries_max_;
  mutable std::mutex mutex_;
  std::list<std::pair<std::string, GrammarPtr>> entries_;  // the one used last comes first
};

}  // namespace flashmoe
