#include "http/request_parser.h"

#include <fmt/format.h>

#include <boost/beast/core/string_type.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace flashmoe::http {
namespace {

namespace beast = boost::beast;
using ParserError = beast::http::error;

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct RequestParser::Impl {
  beast::http::request_parser<beast::http::string_body> parser;
  uint32_t header_bytes_max;
  uint64_t body_bytes_max;
};

RequestParser::RequestParser(uint32_t header_bytes_max, uint64_t body_bytes_max)
    : impl_(std::make_unique<Impl>()) {
  impl_->header_bytes_max = header_bytes_max;
  impl_->body_bytes_max = body_bytes_max;
  impl_->parser.header_limit(header_bytes_max);
  impl_->parser.body_limit(body_bytes_max);
}

RequestParser::~RequestParser() = default;

RequestParser::State RequestParser::Refuse(int status, std::string message) {
  if (!head_taken_) TakeHead();  // what there is of it says in which form to refuse
  refusal_ = {status, std::move(message), {}};
  return State::kRefused;
}

std::optional<uint64_t> RequestParser::promised_bytes() const {
  if (impl_->parser.chunked()) return std::nullopt;
  const auto length = impl_->parser.content_length();
  return length ? *length : 0;
}

RequestParser::State RequestParser::TakeHead() {
  head_taken_ = true;
  const auto& message = impl_->parser.get();
  request_.method = View(message.method_string());
  request_.http10 = message.version() == 10;
  request_.keep_alive = message.keep_alive();
  for (const auto& field : message) {
    request_.headers.push_back(
        {std::string(View(field.name_string())), std::string(View(field.value()))});
  }
  if (const Status target = SetTarget(request_, View(message.target())); !target.has_value()) {
    return Refuse(400, target.error().ToString());
  }
  return State::kHead;
}

RequestParser::State RequestParser::Push(std::string& input) {
  auto& parser = impl_->parser;
  size_t taken = 0;
  beast::error_code error;
  while (!parser.is_done()) {
    if (parser.is_header_done() && !head_taken_) break;
    if (taken == input.size()) break;
    began_ = true;
    taken += parser.put({input.data() + taken, input.size() - taken}, error);
    if (error) break;
  }
  input.erase(0, taken);
  if (error == ParserError::need_more) error = {};
  if (error == ParserError::header_limit) {
    return Refuse(431,
                  fmt::format("the headers are longer than {} bytes", impl_->header_bytes_max));
  }
  if (error == ParserError::body_limit) {
    return Refuse(413, fmt::format("the body is longer than {} bytes", impl_->body_bytes_max));
  }
  if (error == ParserError::bad_version) return Refuse(505, "this server speaks HTTP/1.1");
  if (error) return Refuse(400, "this is no HTTP request: " + error.message());
  if (parser.is_header_done() && !head_taken_) {
    parser.eager(true);
    return TakeHead();
  }
  if (!parser.is_done()) return State::kNeedMore;
  request_.body = std::move(parser.get().body());
  return State::kDone;
}

}  // namespace flashmoe::http
