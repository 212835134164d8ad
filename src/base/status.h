// Operating errors as values. Functions that can fail for a reason outside the program (a file, a
// network peer, a limit) return Result<T> or Status; programmer errors are FM_CHECK (base/check.h).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace flashmoe {

enum class ErrorCode {
  kInvalidInput,  // a file, template, prompt or option is malformed
  kNotFound,
  kUnsupported,  // well-formed, but not something this program can do
  kIo,           // the operating system refused or the device failed
  kOutOfMemory,  // a budget or a limit is too small
  kCancelled,
  kBusy,  // not now: Error::retry_after_s says when to ask again
  kInternal,
};

// One failure, told so that a person can act on it: "what (where): what to do".
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string what;       // what failed, with the offending value
  std::string where;      // "file.gguf, byte 123" or "chat_template:12:5"; may be empty
  std::string hint;       // the next step for the user; may be empty
  int retry_after_s = 0;  // of kBusy

  // One line, without a trailing full stop or newline.
  std::string ToString() const;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

inline std::unexpected<Error> Fail(ErrorCode code, std::string what, std::string where = {},
                                   std::string hint = {}) {
  return std::unexpected(Error{code, std::move(what), std::move(where), std::move(hint), 0});
}
inline std::unexpected<Error> InvalidInput(std::string what, std::string where = {},
                                           std::string hint = {}) {
  return Fail(ErrorCode::kInvalidInput, std::move(what), std::move(where), std::move(hint));
}

}  // namespace flashmoe

#define FM_CONCAT_INNER(a, b) a##b
#define FM_CONCAT(a, b) FM_CONCAT_INNER(a, b)

// Returns the error of `expr` (a Status or Result) from the enclosing function, if it has one.
#define FM_RETURN_IF_ERROR(expr)                            \
  do {                                                      \
    if (auto fm_status = (expr); !fm_status.has_value()) {  \
      return std::unexpected(std::move(fm_status).error()); \
    }                                                       \
  } while (false)

// FM_ASSIGN_OR_RETURN(auto file, File::Open(path));
#define FM_ASSIGN_OR_RETURN(declaration, expr) \
  FM_ASSIGN_OR_RETURN_IMPL(FM_CONCAT(fm_result_, __LINE__), declaration, expr)
#define FM_ASSIGN_OR_RETURN_IMPL(result, declaration, expr)                   \
  auto result = (expr);                                                       \
  if (!result.has_value()) return std::unexpected(std::move(result).error()); \
  declaration = std::move(*result)
