// A model on the network: HTTP, the APIs and the scheduler put together.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/engine.h"
#include "http/server.h"
#include "serve/backend.h"

namespace flashmoe {

struct ModelServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8080;              // 0: any that is free
  std::vector<std::string> keys;     // empty: no key is needed
  std::vector<std::string> origins;  // of pages elsewhere that may call
  std::string model_id;              // as clients see it
  int64_t created_s = 0;             // of the model, since 1970
  int64_t answer_tokens_max = -1;    // -1: up to the end of the context
  http::ServerLimits limits;
  std::function<void(const http::RequestRecord&)> on_request;  // may be empty
};

// Whether only programs of this machine can reach this host.
bool IsLoopback(const std::string& host);

class ModelServer {
 public:
  // Answers from now on. `engine` is only looked at (its text and its plan) and, like what
  // `backend` calls, must outlive this.
  static Result<std::unique_ptr<ModelServer>> Start(Engine& engine, Backend backend,
                                                    ModelServerOptions options);
  ~ModelServer();  // Stop(0)

  uint16_t port() const;
  // Takes no new requests and gives the running ones so many seconds; what is not done by then is
  // cancelled. Returns whether all was done.
  bool Stop(double seconds);

 private:
  struct Impl;
  explicit ModelServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flashmoe
