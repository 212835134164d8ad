// Whether this is a build in which memory and time are not the program's own.
#pragma once

namespace flashmoe {

inline constexpr bool kSanitized =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    true;
#else
    false;
#endif

}  // namespace flashmoe
