#include "engine/running_job.h"

#include <algorithm>

namespace flashmoe {
namespace {

// A template may end the prompt with what the next one does not repeat.
constexpr int64_t kPromptTail = 16;

}  // namespace

std::vector<int64_t> CheckpointPositions(const GenerateRequest& request, int64_t reused,
                                         int64_t every) {
  const auto prompt = std::ssize(request.prompt);
  std::vector<int64_t> at = request.checkpoints;
  at.push_back(prompt - kPromptTail);
  for (int64_t p = every; p < prompt; p += every) at.push_back(p);
  for (int64_t& p : at) p -= p % kPrefixUnit;
  std::erase_if(at, [&](int64_t p) { return p <= reused || p >= prompt; });
  std::ranges::sort(at);
  at.erase(std::unique(at.begin(), at.end()), at.end());
  return at;
}

}  // namespace flashmoe
