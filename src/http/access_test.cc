#include "http/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flashmoe::http {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

Request With(std::vector<Header> headers, std::string method = "POST") {
  Request request;
  request.method = std::move(method);
  request.path = "/v1/models";
  request.headers = std::move(headers);
  return request;
}

int StatusOf(const std::optional<Refusal>& refusal) { return refusal ? refusal->status : 200; }

TEST(HostTest, NamesWithoutPortsInAnyCase) {
  EXPECT_EQ(HostName("Example.org:8080"), "example.org");
  EXPECT_EQ(HostName("[::1]:80"), "[::1]");
  EXPECT_EQ(HostName("[::1]"), "[::1]");
  EXPECT_EQ(HostName("[::1"), "[::1");
  EXPECT_EQ(HostName(""), "");
}

TEST(HostTest, OnlyKnownNamesAreAnswered) {
  const AccessRules rules = {
      .hosts = {"localhost", "127.0.0.1", "[::1]"}, .origins = {}, .keys = {}};
  for (const char* good : {"localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080"}) {
    EXPECT_EQ(StatusOf(CheckHost(rules, With({{"host", good}}))), 200) << good;
  }
  for (const char* bad : {"evil.example", "localhost.evil.example", "127.0.0.1.nip.io:80", ""}) {
    EXPECT_EQ(StatusOf(CheckHost(rules, With({{"Host", bad}}))), 421) << bad;
  }
  EXPECT_THAT(CheckHost(rules, With({{"Host", "evil.example"}}))->message,
              HasSubstr("use localhost"));
}

TEST(HostTest, ThereIsExactlyOneHeader) {
  EXPECT_EQ(StatusOf(CheckHost({}, With({}))), 400);
  EXPECT_EQ(StatusOf(CheckHost({}, With({{"Host", "a"}, {"host", "a"}}))), 400);
  EXPECT_EQ(StatusOf(CheckHost({}, With({{"Host", "anything"}}))), 200);
  Request old = With({});
  old.http10 = true;
  EXPECT_EQ(StatusOf(CheckHost({}, old)), 200);
}

TEST(KeyTest, EitherHeaderOpens) {
  const AccessRules rules = {.hosts = {}, .origins = {}, .keys = {"first", "second key"}};
  EXPECT_EQ(StatusOf(CheckKey(rules, With({{"authorization", "Bearer first"}}))), 200);
  EXPECT_EQ(StatusOf(CheckKey(rules, With({{"Authorization", "bearer  second key"}}))), 200);
  EXPECT_EQ(StatusOf(CheckKey(rules, With({{"X-Api-Key", "second key"}}))), 200);
  for (const char* bad : {"", "f", "firs", "first ", "firstfirst", "First", "second"}) {
    EXPECT_EQ(StatusOf(CheckKey(rules, With({{"x-api-key", bad}}))), 401) << bad;
    const std::string bearer = std::string("Bearer ") + bad;
    EXPECT_EQ(StatusOf(CheckKey(rules, With({{"Authorization", bearer}}))), 401) << bad;
  }
  EXPECT_EQ(StatusOf(CheckKey(rules, With({{"Authorization", "Basic first"}}))), 401);
  EXPECT_EQ(StatusOf(CheckKey({}, With({}))), 200);
}

TEST(KeyTest, AnEmptyKeyOpensNothing) {
  const AccessRules rules = {.hosts = {}, .origins = {}, .keys = {""}};
  EXPECT_EQ(StatusOf(CheckKey(rules, With({}))), 401);
  EXPECT_EQ(StatusOf(CheckKey(rules, With({{"x-api-key", ""}}))), 401);
}

TEST(OriginTest, OnlyTheServersOwnPagesMayCallByDefault) {
  const Header host = {"Host", "localhost:8080"};
  EXPECT_EQ(StatusOf(CheckOrigin({}, With({host}))), 200);
  EXPECT_EQ(StatusOf(CheckOrigin({}, With({host, {"Origin", "http://localhost:8080"}}))), 200);
  for (const char* bad :
       {"http://localhost:8081", "https://evil.example", "null", "localhost:8080"}) {
    EXPECT_EQ(StatusOf(CheckOrigin({}, With({host, {"Origin", bad}}))), 403) << bad;
  }
  EXPECT_THAT(CorsHeaders({}, With({host, {"Origin", "http://localhost:8080"}})), IsEmpty());
}

TEST(OriginTest, ListedOriginsGetTheHeaders) {
  const AccessRules rules = {.hosts = {}, .origins = {"https://app.example"}, .keys = {}};
  const Request page = With({{"Host", "h"}, {"Origin", "https://app.example"}});
  EXPECT_EQ(StatusOf(CheckOrigin(rules, page)), 200);
  const auto headers = CorsHeaders(rules, page);
  ASSERT_EQ(headers.size(), 3u);
  EXPECT_EQ(headers[1].name, "Access-Control-Allow-Origin");
  EXPECT_EQ(headers[1].value, "https://app.example");
  EXPECT_EQ(CorsHeaders(rules, With({{"Origin", "https://other.example"}})).size(), 1u);

  const Request preflight = With({{"Origin", "https://app.example"},
                                  {"Access-Control-Request-Method", "POST"},
                                  {"Access-Control-Request-Headers", "x-stainless-os"}},
                                 "OPTIONS");
  EXPECT_TRUE(IsPreflight(preflight));
  EXPECT_EQ(CorsHeaders(rules, preflight)[4].value, "x-stainless-os");
  EXPECT_FALSE(IsPreflight(page));
}

}  // namespace
}  // namespace flashmoe::http
