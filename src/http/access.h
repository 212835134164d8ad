// Who may use the server: which names it answers to, which pages may call it, which keys open it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace flashmoe::http {

struct AccessRules {
  // Host names, in lower case and without a port, that requests may be addressed to; empty: any.
  // Against DNS rebinding: a page elsewhere can make its own name point here, but not send another.
  std::vector<std::string> hosts;
  // Origins of pages that may call, besides the server's own: "https://example.org"; "*": any.
  std::vector<std::string> origins;
  // Any of these opens; empty: no key is needed.
  std::vector<std::string> keys;
};

// What is wrong with where the request was sent and where it comes from, if anything.
std::optional<Refusal> CheckHost(const AccessRules& rules, const Request& request);
std::optional<Refusal> CheckOrigin(const AccessRules& rules, const Request& request);
// `Authorization: Bearer KEY` or `x-api-key: KEY`. The time does not depend on the keys' contents.
std::optional<Refusal> CheckKey(const AccessRules& rules, const Request& request);

// Headers that let the page that asks read the answer; none unless its origin is among the rules'.
std::vector<Header> CorsHeaders(const AccessRules& rules, const Request& request);
// Whether a browser asks in advance if a page may call.
bool IsPreflight(const Request& request);

// "Example.org:8080" -> "example.org", "[::1]:80" -> "[::1]".
std::string HostName(std::string_view authority);

}  // namespace flashmoe::http
