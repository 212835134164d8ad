// Any bytes as what a client sends: requests one after another, the checks of who may call, and
// the same outcome however the bytes are cut into pieces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/access.h"
#include "http/request_parser.h"

namespace {

using flashmoe::http::AccessRules;
using flashmoe::http::Request;
using flashmoe::http::RequestParser;
using State = RequestParser::State;

constexpr uint32_t kHeaderMax = 1024;
constexpr uint64_t kBodyMax = 2048;

void CheckRequest(const Request& request) {
  static const AccessRules rules = {
      .hosts = {"localhost", "[::1]"}, .origins = {"https://app.example"}, .keys = {"key"}};
  FM_CHECK(!request.method.empty());
  FM_CHECK(request.path == "*" || request.path.starts_with('/'));
  FM_CHECK(request.path.find('\0') == std::string::npos);
  FM_CHECK(request.body.size() <= kBodyMax);
  const auto host = CheckHost(rules, request);
  const std::string name = flashmoe::http::HostName(request.header("Host"));
  FM_CHECK(host || request.http10 || name == "localhost" || name == "[::1]");
  FM_CHECK(CheckKey(rules, request) || request.header("Authorization").ends_with("key") ||
           request.header("x-api-key") == "key");
  (void)CheckOrigin(rules, request);
  for (const auto& h : CorsHeaders(rules, request)) FM_CHECK(!h.name.empty());
}

// What became of the bytes, as text.
std::string Outcome(std::string_view bytes, size_t piece) {
  std::string outcome, input;
  while (true) {
    RequestParser parser(kHeaderMax, kBodyMax);
    State state = State::kNeedMore;
    while (state == State::kNeedMore || state == State::kHead) {
      const std::string_view next = bytes.substr(0, piece);
      if (state == State::kNeedMore && next.empty() && input.empty()) return outcome + "open";
      const size_t before = input.size();
      input += next;
      bytes.remove_prefix(next.size());
      state = parser.Push(input);
      if (state == State::kNeedMore && next.empty() && input.size() == before) {
        return outcome + "open";
      }
    }
    if (state == State::kRefused) {
      FM_CHECK(parser.refusal().status >= 400 && !parser.refusal().message.empty());
      return outcome + "refused " + std::to_string(parser.refusal().status);
    }
    CheckRequest(parser.request());
    outcome +=
        parser.request().method + " " + parser.request().path + " " + parser.request().body + "\n";
    if (bytes.empty() && input.empty()) return outcome;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = Outcome(bytes, std::max<size_t>(1, bytes.size()));
  const std::string cut = Outcome(bytes, 1 + data[0] % 64);
  // A limit may be found earlier in one way than a fault in the other.
  if (whole.find("refused") == std::string::npos) FM_CHECK(whole == cut);
  return 0;
}
