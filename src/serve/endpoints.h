// The paths of the server and what they do.
#pragma once

#include <memory>
#include <vector>

#include "api/api_error.h"
#include "http/server.h"
#include "serve/backend.h"
#include "serve/served_model.h"

namespace flashmoe {

// What handlers share. Outlives the server.
struct ServeContext {
  const ServedModel& model;
  Backend backend;
  std::function<std::string()> metrics;  // the body of /metrics
};

// The APIs, /health, /metrics, /tokenize and /detokenize.
std::vector<http::Route> MakeRoutes(const std::shared_ptr<const ServeContext>& context);

// In which API's form whoever asks at this path expects errors.
ApiStyle StyleOfPath(std::string_view path);
http::Response RenderRefusal(const http::Request& request, const http::Refusal& refusal);

}  // namespace flashmoe
