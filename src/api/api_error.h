// Errors as clients of each API know them.
#pragma once

#include <string>

#include "base/status.h"

namespace flashmoe {

enum class ApiStyle { kOpenAi, kAnthropic };

// The HTTP status that fits the code: 400 for what is wrong with the request, 404, 429 for not now,
// 499 (the client left), 503 for memory that is used up, 500. Servers have more of their own: 401,
// 413.
int HttpStatus(ErrorCode code);

// The body of an error response.
std::string ErrorBody(ApiStyle style, int http_status, const Error& error);

}  // namespace flashmoe
