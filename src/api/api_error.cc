#include "api/api_error.h"

#include "text/ordered_json.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

struct ErrorNames {
  int http_status;
  const char* openai_type;
  const char* openai_code;  // null: none
  const char* anthropic_type;
};

constexpr ErrorNames kNames[] = {
    {400, "invalid_request_error", nullptr, "invalid_request_error"},
    {401, "authentication_error", "invalid_api_key", "authentication_error"},
    {403, "permission_error", nullptr, "permission_error"},
    {404, "invalid_request_error", "not_found", "not_found_error"},
    {405, "invalid_request_error", "method_not_allowed", "invalid_request_error"},
    {413, "invalid_request_error", "request_too_large", "request_too_large"},
    {429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error"},
    {503, "server_error", "overloaded", "overloaded_error"},
};

ErrorNames NamesFor(int http_status) {
  for (const ErrorNames& names : kNames) {
    if (names.http_status == http_status) return names;
  }
  if (http_status < 500) return kNames[0];
  return {http_status, "server_error", nullptr, "api_error"};
}

}  // namespace

int HttpStatus(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidInput:
    case ErrorCode::kUnsupported:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kBusy:
      return 429;
    case ErrorCode::kOutOfMemory:
      return 503;
    case ErrorCode::kCancelled:
      return 499;
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      break;
  }
  return 500;
}

std::string ErrorBody(ApiStyle style, int http_status, const Error& error) {
  const ErrorNames names = NamesFor(http_status);
  const std::string message = error.ToString();
  if (style == ApiStyle::kAnthropic) {
    return DumpJson(
        {{"type", "error"}, {"error", {{"type", names.anthropic_type}, {"message", message}}}});
  }
  Json json{
      {"message", message}, {"type", names.openai_type}, {"param", nullptr}, {"code", nullptr}};
  if (http_status == 400 && !error.where.empty()) json["param"] = error.where;
  if (names.openai_code != nullptr) json["code"] = names.openai_code;
  if (http_status == 400 && error.code == ErrorCode::kUnsupported) json["code"] = "unsupported";
  return DumpJson({{"error", std::move(json)}});
}

}  // namespace flashmoe
