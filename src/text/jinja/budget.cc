#include "text/jinja/budget.h"

#include <fmt/format.h>

namespace flashmoe::jinja {

Status Budget::Work(uint64_t steps) {
  if (steps > steps_ - used_) {
    used_ = steps_;
    return Fail(ErrorCode::kOutOfMemory,
                fmt::format("the template did not end within {} steps", steps_), "",
                "shorten the conversation or use another template");
  }
  used_ += steps;
  return {};
}

Status Budget::Hold(uint64_t bytes) {
  if (bytes > bytes_ - held_) {
    return Fail(ErrorCode::kOutOfMemory,
                fmt::format("the template's values need more than {} bytes", bytes_), "",
                "shorten the conversation or use another template");
  }
  held_ += bytes;
  return {};
}

Result<Depth> Depth::Enter(Budget& budget) {
  if (budget.depth_ <= 0) {
    return Fail(ErrorCode::kOutOfMemory, "the template recurses too deeply", "",
                "use another template");
  }
  return Depth(&budget);
}

Status Charge::Grow(uint64_t bytes) {
  FM_RETURN_IF_ERROR(budget_->Hold(bytes));
  bytes_ += bytes;
  return {};
}

}  // namespace flashmoe::jinja
