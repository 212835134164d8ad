#include "http/access.h"

#include <fmt/format.h>

#include <algorithm>

namespace flashmoe::http {
namespace {

bool Contains(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// Looks at every byte of `given`, whatever the key.
bool SameSecret(std::string_view given, std::string_view key) {
  volatile unsigned difference = given.size() != key.size() || key.empty() ? 1u : 0u;
  for (size_t i = 0; i < given.size(); ++i) {
    const char wanted = key.empty() ? '\0' : key[i % key.size()];
    difference = difference | static_cast<unsigned char>(given[i] ^ wanted);
  }
  return difference == 0;
}

std::string_view GivenKey(const Request& request) {
  constexpr std::string_view kScheme = "Bearer ";
  std::string_view value = request.header("Authorization");
  if (value.size() >= kScheme.size() &&
      EqualsIgnoringCase(value.substr(0, kScheme.size()), kScheme)) {
    value.remove_prefix(std::min(value.find_first_not_of(' ', kScheme.size()), value.size()));
    return value;
  }
  return request.header("x-api-key");
}

// The authority of "scheme://authority".
std::string_view OriginAuthority(std::string_view origin) {
  const size_t slashes = origin.find("://");
  return slashes == std::string_view::npos ? std::string_view() : origin.substr(slashes + 3);
}

bool IsListed(const AccessRules& rules, std::string_view origin) {
  return Contains(rules.origins, "*") || Contains(rules.origins, origin);
}

}  // namespace

std::string HostName(std::string_view authority) {
  size_t end = authority.find(':');
  if (authority.starts_with('[')) {
    const size_t bracket = authority.find(']');
    end = bracket == std::string_view::npos ? bracket : bracket + 1;
  }
  std::string name(authority.substr(0, end));
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

std::optional<Refusal> CheckHost(const AccessRules& rules, const Request& request) {
  const size_t count = request.CountHeader("Host");
  if (count > 1) return Refusal{400, "the request has more than one Host header", {}};
  if (count == 0 && !request.http10) return Refusal{400, "the request has no Host header", {}};
  if (rules.hosts.empty()) return std::nullopt;
  const std::string name = HostName(request.header("Host"));
  if (Contains(rules.hosts, name)) return std::nullopt;
  return Refusal{421,
                 fmt::format("this server does not answer to the name '{}': use {}", name,
                             fmt::join(rules.hosts, ", ")),
                 {}};
}

std::optional<Refusal> CheckOrigin(const AccessRules& rules, const Request& request) {
  const std::string_view origin = request.header("Origin");
  if (origin.empty() || IsListed(rules, origin)) return std::nullopt;
  const std::string_view authority = OriginAuthority(origin);
  if (!authority.empty() && EqualsIgnoringCase(authority, request.header("Host"))) {
    return std::nullopt;
  }
  return Refusal{403,
                 fmt::format("pages of the origin '{}' may not call this server: start it with "
                             "--cors-origin to allow them",
                             origin),
                 {}};
}

std::optional<Refusal> CheckKey(const AccessRules& rules, const Request& request) {
  if (rules.keys.empty()) return std::nullopt;
  const std::string_view given = GivenKey(request);
  bool opens = false;
  for (const std::string& key : rules.keys) opens |= SameSecret(given, key);
  if (opens) return std::nullopt;
  return Refusal{401,
                 given.empty() ? "a key is needed: send Authorization: Bearer KEY or x-api-key: KEY"
                               : "this is not a key of this server",
                 {{"WWW-Authenticate", "Bearer"}}};
}

std::vector<Header> CorsHeaders(const AccessRules& rules, const Request& request) {
  const std::string_view origin = request.header("Origin");
  if (rules.origins.empty()) return {};
  std::vector<Header> headers = {{"Vary", "Origin"}};
  if (origin.empty() || !IsListed(rules, origin)) return headers;
  headers.push_back({"Access-Control-Allow-Origin", std::string(origin)});
  headers.push_back({"Access-Control-Expose-Headers", "Retry-After, request-id, x-request-id"});
  if (!IsPreflight(request)) return headers;
  headers.push_back({"Access-Control-Allow-Methods", "GET, POST, OPTIONS"});
  const std::string_view wanted = request.header("Access-Control-Request-Headers");
  headers.push_back({"Access-Control-Allow-Headers",
                     wanted.empty() ? "Authorization, Content-Type" : std::string(wanted)});
  headers.push_back({"Access-Control-Max-Age", "600"});
  return headers;
}

bool IsPreflight(const Request& request) {
  return request.method == "OPTIONS" && !request.header("Origin").empty() &&
         !request.header("Access-Control-Request-Method").empty();
}

}  // namespace flashmoe::http
