#include "http/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace flashmoe::http {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = Lower(c);
  if (lower >= 'a' && lower <= 'f') return lower - 'a' + 10;
  return std::nullopt;
}

Result<std::string> PercentDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto high = i + 1 < text.size() ? HexDigit(text[i + 1]) : std::nullopt;
    const auto low = i + 2 < text.size() ? HexDigit(text[i + 2]) : std::nullopt;
    if (!high || !low) return InvalidInput("the path has a % without two hexadecimal digits");
    const char c = static_cast<char>(*high * 16 + *low);
    if (c == '\0') return InvalidInput("the path has a zero byte");
    out += c;
    i += 2;
  }
  return out;
}

bool EndsLine(char c) { return c == '\r' || c == '\n' || c == '\0'; }

void AppendHeader(std::string& head, std::string_view name, std::string_view value) {
  head += name;
  head += ": ";
  std::copy_if(value.begin(), value.end(), std::back_inserter(head),
               [](char c) { return !EndsLine(c); });
  head += "\r\n";
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  for (const Header& h : headers) {
    if (EqualsIgnoringCase(h.name, name)) return h.value;
  }
  return {};
}

size_t Request::CountHeader(std::string_view name) const {
  return static_cast<size_t>(std::count_if(headers.begin(), headers.end(), [&](const Header& h) {
    return EqualsIgnoringCase(h.name, name);
  }));
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    case 529:
      return "Overloaded";
    default:
      return "Unknown";
  }
}

Status SetTarget(Request& request, std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (target.size() > kScheme.size() &&
      EqualsIgnoringCase(target.substr(0, kScheme.size()), kScheme)) {
    target.remove_prefix(kScheme.size());
    const size_t end = std::min(target.find_first_of("/?"), target.size());
    std::erase_if(request.headers,
                  [](const Header& h) { return EqualsIgnoringCase(h.name, "Host"); });
    request.headers.push_back({"Host", std::string(target.substr(0, end))});
    target.remove_prefix(end);
    if (target.empty()) target = "/";
  }
  const size_t question = target.find('?');
  request.query = question == std::string_view::npos ? "" : target.substr(question + 1);
  const std::string_view path = target.substr(0, question);
  if (path != "*" && !path.starts_with('/')) {
    return InvalidInput("the request's target is no path: it must begin with a slash");
  }
  FM_ASSIGN_OR_RETURN(request.path, PercentDecode(path));
  return {};
}

std::string SerializeHead(const Response& response, Framing framing, bool keep_alive) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, Reason(response.status));
  const bool bodyless = response.status == 204 || response.status == 304;
  if (!bodyless) AppendHeader(head, "Content-Type", response.content_type);
  if (framing == Framing::kChunked) AppendHeader(head, "Transfer-Encoding", "chunked");
  if (framing == Framing::kLength && !bodyless) {
    AppendHeader(head, "Content-Length", fmt::to_string(response.body.size()));
  }
  AppendHeader(head, "Connection", keep_alive ? "keep-alive" : "close");
  for (const Header& h : response.headers) AppendHeader(head, h.name, h.value);
  head += "\r\n";
  return head;
}

std::string SerializeChunk(std::string_view bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

}  // namespace flashmoe::http
