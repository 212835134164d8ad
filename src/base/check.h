// FM_CHECK(condition): a programmer error ends the process with file, line and condition. Never
// reachable from untrusted input, which gets an Error instead (base/status.h).
#pragma once

namespace flashmoe {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace flashmoe

#define FM_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::flashmoe::CheckFailed(__FILE__, __LINE__, #condition))
