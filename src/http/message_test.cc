#include "http/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/request_parser.h"

namespace flashmoe::http {
namespace {

using State = RequestParser::State;
using testing::HasSubstr;
using testing::Not;

TEST(TargetTest, PathAndQuery) {
  Request request;
  ASSERT_TRUE(SetTarget(request, "/v1/models/a%2Fb%20c?x=1&y=?").has_value());
  EXPECT_EQ(request.path, "/v1/models/a/b c");
  EXPECT_EQ(request.query, "x=1&y=?");
  EXPECT_TRUE(SetTarget(request, "*").has_value());
}

TEST(TargetTest, AnAbsoluteTargetNamesTheHost) {
  Request request;
  request.headers = {{"Host", "other"}};
  ASSERT_TRUE(SetTarget(request, "HTTP://evil.example:80/x").has_value());
  EXPECT_EQ(request.path, "/x");
  EXPECT_EQ(request.header("host"), "evil.example:80");
  EXPECT_EQ(request.CountHeader("HOST"), 1u);
  ASSERT_TRUE(SetTarget(request, "http://h").has_value());
  EXPECT_EQ(request.path, "/");
}

TEST(TargetTest, RefusesWhatIsNoPath) {
  Request request;
  for (const char* bad : {"", "x", "example.org:443", "/%", "/%4", "/%zz", "/%00", "?x"}) {
    EXPECT_FALSE(SetTarget(request, bad).has_value()) << bad;
  }
}

TEST(HeadTest, FramingDecidesTheHeaders) {
  Response response;
  response.body = "{}";
  response.headers = {{"X-A", "b\r\nSet-Cookie: c"}};
  EXPECT_EQ(SerializeHead(response, Framing::kLength, true),
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
            "Connection: keep-alive\r\nX-A: bSet-Cookie: c\r\n\r\n");
  const std::string stream = SerializeHead(response, Framing::kChunked, false);
  EXPECT_THAT(stream, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(stream, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(stream, Not(HasSubstr("Content-Length")));
  EXPECT_EQ(SerializeChunk("0123456789abcdef"), "10\r\n0123456789abcdef\r\n");
  EXPECT_EQ(SerializeChunk(""), "0\r\n\r\n");
}

struct Parsed {
  State state;
  Request request;
  int status = 0;
  std::string rest;
};

// However the bytes are cut into pieces.
Parsed Parse(std::string_view bytes, size_t piece = 1 << 20, uint32_t header_max = 1024) {
  RequestParser parser(header_max, 64);
  std::string input;
  State state = State::kNeedMore;
  while (state == State::kNeedMore || state == State::kHead) {
    const size_t now = std::min(piece, bytes.size());
    if (now == 0 && state == State::kNeedMore) break;
    input += bytes.substr(0, now);
    bytes.remove_prefix(now);
    state = parser.Push(input);
    if (state == State::kHead) state = parser.Push(input);
  }
  return {state, parser.request(), parser.refusal().status, input + std::string(bytes)};
}

TEST(RequestParserTest, AnyCutGivesTheSame) {
  const std::string text =
      "POST /a?b HTTP/1.1\r\nHost: h\r\nX-Two:  v \r\nContent-Length: 5\r\n\r\nhelloGET";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    const Parsed p = Parse(text, piece);
    ASSERT_EQ(p.state, State::kDone) << piece;
    EXPECT_EQ(p.request.method, "POST");
    EXPECT_EQ(p.request.path, "/a");
    EXPECT_EQ(p.request.header("x-two"), "v");
    EXPECT_EQ(p.request.body, "hello");
    EXPECT_EQ(p.rest, "GET");
  }
}

TEST(RequestParserTest, ChunkedBodies) {
  const std::string text =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    const Parsed p = Parse(text, piece);
    ASSERT_EQ(p.state, State::kDone) << piece;
    EXPECT_EQ(p.request.body, "abcde");
  }
}

TEST(RequestParserTest, Limits) {
  const std::string many(60, 'x');
  std::string head = "POST / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(Parse(head + "Content-Length: 64\r\n\r\n" + std::string(64, 'b')).state, State::kDone);
  EXPECT_EQ(Parse(head + "Content-Length: 65\r\n\r\n").status, 413);
  EXPECT_EQ(Parse(head + "Content-Length: 65\r\n\r\n").request.path, "/");
  EXPECT_EQ(Parse(head + "Transfer-Encoding: chunked\r\n\r\n41\r\n" + std::string(65, 'b') +
                  "\r\n0\r\n\r\n")
                .status,
            413);
  for (int i = 0; i < 16; ++i) head += "X-" + std::to_string(i) + ": " + many + "\r\n";
  EXPECT_EQ(Parse(head + "\r\n").status, 431);
  EXPECT_EQ(Parse(head, 7).status, 431) << "before the end is there";
  EXPECT_EQ(Parse("GET /" + std::string(2000, 'x'), 100).status, 431);
}

TEST(RequestParserTest, Refusals) {
  const std::string host = "Host: h\r\n";
  EXPECT_EQ(Parse("\x16\x03\x01\x02\r\n\r\n").status, 400) << "TLS";
  EXPECT_EQ(Parse("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status, 505);
  EXPECT_EQ(Parse("GET / HTTP/3.0\r\n\r\n").status, 505);
  EXPECT_EQ(Parse("GET  / HTTP/1.1\r\n\r\n").status, 400);
  EXPECT_EQ(Parse("G@T / HTTP/1.1\r\n\r\n").status, 400);
  EXPECT_EQ(Parse("GET x HTTP/1.1\r\n" + host + "\r\n").status, 400);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\nHost : h\r\n\r\n").status, 400);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\n" + host + "X: a\x01z\r\n\r\n").status, 400);
  const std::string post = "POST / HTTP/1.1\r\n" + host;
  EXPECT_EQ(Parse(post + "Content-Length: -1\r\n\r\n").status, 400);
  EXPECT_EQ(Parse(post + "Content-Length: 18446744073709551616\r\n\r\n").status, 400);
  EXPECT_EQ(Parse(post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n").status, 400);
  EXPECT_EQ(Parse(post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n").status, 400);
  EXPECT_EQ(Parse(post + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n").status, 400);
  EXPECT_EQ(Parse(post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n").status, 400);
  EXPECT_EQ(Parse(post + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n").status, 400);
}

}  // namespace
}  // namespace flashmoe::http
