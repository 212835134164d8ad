// Requests and responses of HTTP/1.1, and how a response's bytes look on the wire.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace flashmoe::http {

struct Header {
  std::string name, value;
};

struct Request {
  std::string method;  // as sent: "POST"
  std::string path;    // decoded, without the query: "/v1/models"
  std::string query;   // as sent, without the question mark
  std::vector<Header> headers;
  std::string body;
  bool http10 = false;
  bool keep_alive = true;

  // The value of the first header of this name, in any case; empty if there is none.
  std::string_view header(std::string_view name) const;
  size_t CountHeader(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<Header> headers;
  // Of streams: sent when nothing else was for a while, so that nobody takes silence for the end.
  std::string heartbeat;
};

// Something that is refused before or instead of a handler; the server's user gives it its form.
struct Refusal {
  int status = 400;
  std::string message;          // what is wrong and what to do
  std::vector<Header> headers;  // e.g. Allow, Retry-After
};

// "OK"; "Unknown" for a number without a name.
std::string_view Reason(int status);
bool EqualsIgnoringCase(std::string_view a, std::string_view b);

// Takes a request line's target apart. Knows "/path?query", "http://authority/path" (the authority
// then takes the place of the Host header) and "*".
Status SetTarget(Request& request, std::string_view target);

enum class Framing {
  kLength,   // Content-Length, for what is known whole
  kChunked,  // for streams
  kToClose,  // for streams to HTTP/1.0
};

// Status line and headers up to the empty line. Bytes that would end a header line early are left
// out of values.
std::string SerializeHead(const Response& response, Framing framing, bool keep_alive);
// One chunk of a chunked body; the empty string ends it.
std::string SerializeChunk(std::string_view bytes);

}  // namespace flashmoe::http
