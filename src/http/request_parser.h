// Bytes from a connection to a request. Boost.Beast does the work; this header hides it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "http/message.h"

namespace flashmoe::http {

class RequestParser {
 public:
  enum class State {
    kNeedMore,  // everything that could be used was taken from the input
    kHead,      // said once: the headers are there, the body is still to come
    kDone,
    kRefused,  // see refusal(); the connection cannot be used further
  };

  RequestParser(uint32_t header_bytes_max, uint64_t body_bytes_max);
  ~RequestParser();

  // Takes from the front of `input` what belongs to the request.
  State Push(std::string& input);

  // From kHead on, but for the body; whole from kDone on.
  Request& request() { return request_; }
  const Refusal& refusal() const { return refusal_; }
  bool began() const { return began_; }  // any byte was seen
  // Bytes of the body by the request's own word; nullopt: it will be seen when they come.
  std::optional<uint64_t> promised_bytes() const;

 private:
  State Refuse(int status, std::string message);
  State TakeHead();

  struct Impl;
  std::unique_ptr<Impl> impl_;
  Request request_;
  Refusal refusal_;
  bool began_ = false;
  bool head_taken_ = false;
};

}  // namespace flashmoe::http
