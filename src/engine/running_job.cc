#include "engine/running_job.h"

#include "engine/checkpoint_ends.h"

namespace flashmoe {
namespace {

// A template may end the prompt with what the next one does not repeat.
constexpr int64_t kPromptTail = 16;

}  // namespace

std::vector<int64_t> CheckpointPositions(const GenerateRequest& request, int64_t reused,
                                         int64_t every) {
  const auto prompt = std::ssize(request.prompt);
  std::vector<int64_t> wanted = request.checkpoints;
  wanted.push_back(prompt - kPromptTail);
  for (int64_t p = every; p < prompt; p += every) wanted.push_back(p);
  return CheckpointEnds(std::move(wanted), reused, prompt);
}

}  // namespace flashmoe
