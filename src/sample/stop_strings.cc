#include "sample/stop_strings.h"

#include <algorithm>
#include <utility>

namespace flashmoe {

StopMatcher::StopMatcher(const std::vector<std::string>& stops) {
  for (const std::string& text : stops) {
    if (text.empty()) continue;
    Stop stop{text, std::vector<size_t>(text.size(), 0)};
    for (size_t i = 1; i < text.size(); ++i) {
      size_t length = stop.border[i - 1];
      while (length > 0 && text[i] != text[length]) length = stop.border[length - 1];
      stop.border[i] = length + (text[i] == text[length] ? 1 : 0);
    }
    stops_.push_back(std::move(stop));
  }
}

void StopMatcher::Advance(Stop& stop, char c) {
  while (stop.matched > 0 && stop.text[stop.matched] != c) {
    stop.matched = stop.border[stop.matched - 1];
  }
  if (stop.text[stop.matched] == c) ++stop.matched;
}

StopMatcher::Output StopMatcher::Push(std::string_view text) {
  if (stopped_) return {{}, true};
  size_t held = 0;
  for (const char c : text) {
    pending_ += c;
    held = 0;
    const Stop* found = nullptr;
    for (Stop& stop : stops_) {
      Advance(stop, c);
      held = std::max(held, stop.matched);
      if (stop.matched < stop.text.size()) continue;
      if (found == nullptr || stop.matched > found->matched) found = &stop;
    }
    if (found != nullptr) {
      stopped_ = true;
      found_ = found->text;
      pending_.resize(pending_.size() - found_.size());
      return {std::exchange(pending_, {}), true};
    }
  }
  if (text.empty()) return {};
  Output output{pending_.substr(0, pending_.size() - held)};
  pending_.erase(0, pending_.size() - held);
  return output;
}

std::string StopMatcher::Finish() {
  for (Stop& stop : stops_) stop.matched = 0;
  return std::exchange(pending_, {});
}

}  // namespace flashmoe
