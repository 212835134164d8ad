#include "api/api_error.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/models_list.h"

namespace flashmoe {
namespace {

Error BadField(ErrorCode code = ErrorCode::kInvalidInput) {
  return Fail(code, "n is 2", "n", "ask once").error();
}

TEST(ApiError, FitsTheCode) {
  EXPECT_EQ(HttpStatus(ErrorCode::kInvalidInput), 400);
  EXPECT_EQ(HttpStatus(ErrorCode::kUnsupported), 400);
  EXPECT_EQ(HttpStatus(ErrorCode::kNotFound), 404);
  EXPECT_EQ(HttpStatus(ErrorCode::kOutOfMemory), 503);
  EXPECT_EQ(HttpStatus(ErrorCode::kBusy), 429);
  EXPECT_EQ(HttpStatus(ErrorCode::kCancelled), 499);
  EXPECT_EQ(HttpStatus(ErrorCode::kIo), 500);
  EXPECT_EQ(HttpStatus(ErrorCode::kInternal), 500);
}

TEST(ApiError, IsOpenAis) {
  EXPECT_EQ(ErrorBody(ApiStyle::kOpenAi, 400, BadField()),
            R"({"error":{"message":"n is 2 (n): ask once","type":"invalid_request_error",)"
            R"("param":"n","code":null}})");
  EXPECT_EQ(ErrorBody(ApiStyle::kOpenAi, 400, BadField(ErrorCode::kUnsupported)),
            R"({"error":{"message":"n is 2 (n): ask once","type":"invalid_request_error",)"
            R"("param":"n","code":"unsupported"}})");
  const Error plain = Fail(ErrorCode::kInternal, "no").error();
  const auto body = [&](int status) { return ErrorBody(ApiStyle::kOpenAi, status, plain); };
  EXPECT_EQ(body(401), R"({"error":{"message":"no","type":"authentication_error","param":null,)"
                       R"("code":"invalid_api_key"}})");
  EXPECT_EQ(body(404), R"({"error":{"message":"no","type":"invalid_request_error","param":null,)"
                       R"("code":"not_found"}})");
  EXPECT_EQ(body(429), R"({"error":{"message":"no","type":"rate_limit_error","param":null,)"
                       R"("code":"rate_limit_exceeded"}})");
  EXPECT_EQ(body(500), R"({"error":{"message":"no","type":"server_error","param":null,)"
                       R"("code":null}})");
  EXPECT_EQ(body(418), R"({"error":{"message":"no","type":"invalid_request_error","param":null,)"
                       R"("code":null}})");
}

TEST(ApiError, IsAnthropics) {
  const auto type = [](int status) {
    const auto json = nlohmann::json::parse(ErrorBody(ApiStyle::kAnthropic, status, BadField()));
    return json["error"]["type"].get<std::string>();
  };
  EXPECT_EQ(ErrorBody(ApiStyle::kAnthropic, 400, BadField()),
            R"({"type":"error","error":{"type":"invalid_request_error",)"
            R"("message":"n is 2 (n): ask once"}})");
  EXPECT_EQ(type(401), "authentication_error");
  EXPECT_EQ(type(403), "permission_error");
  EXPECT_EQ(type(404), "not_found_error");
  EXPECT_EQ(type(413), "request_too_large");
  EXPECT_EQ(type(429), "rate_limit_error");
  EXPECT_EQ(type(503), "overloaded_error");
  EXPECT_EQ(type(500), "api_error");
}

TEST(ModelsList, SuitsBothKindsOfClient) {
  const ModelCard card{.id = "ember", .created_s = 1'700'000'000, .context_tokens = 4096};
  const std::string json =
      R"({"id":"ember","object":"model","created":1700000000,"owned_by":"flashmoe",)"
      R"("type":"model","display_name":"ember","created_at":"2023-11-14T22:13:20Z",)"
      R"("context_length":4096})";
  EXPECT_EQ(ModelBody(card), json);
  EXPECT_EQ(ModelsBody({&card, 1}), R"({"object":"list","data":[)" + json +
                                        R"(],"has_more":false,"first_id":"ember",)"
                                        R"("last_id":"ember"})");
  EXPECT_EQ(ModelsBody({}), R"({"object":"list","data":[],"has_more":false,"first_id":null,)"
                            R"("last_id":null})");
}

}  // namespace
}  // namespace flashmoe
