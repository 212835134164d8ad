#include "serve/model_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/memory.h"
#include "serve/endpoints.h"
#include "serve/live_feed.h"
#include "serve/metrics.h"
#include "serve/served_model.h"

namespace flashmoe {
namespace {

// Names that a browser may use for this server: any other may be a trick to get past the rule that
// pages only talk to where they came from.
std::vector<std::string> NamesOf(const std::string& host) {
  if (!IsLoopback(host)) return {};  // it may have any, and has a key
  std::vector<std::string> names = {"localhost", "127.0.0.1", "[::1]"};
  const std::string given = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (std::find(names.begin(), names.end(), given) == names.end()) names.push_back(given);
  return names;
}

}  // namespace

bool IsLoopback(const std::string& host) {
  in_addr v4 = {};
  in6_addr v6 = {};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

struct ModelServer::Impl {
  Impl(Engine& e, Backend b, const ModelServerOptions& options)
      : engine(e),
        model(engine.text(), {options.model_id, options.created_s, engine.plan().memory.context},
              options.answer_tokens_max),
        backend(std::move(b)),
        live(backend, engine.plan(),
             {engine.model().store().catalog().layers(),
              engine.model().store().catalog().experts()}) {}

  std::string Metrics() const {
    return MetricsText(backend.stats(), server->stats(), engine.plan(), ResidentBytes());
  }

  Engine& engine;
  ServedModel model;
  Backend backend;
  LiveFeed live;
  std::unique_ptr<http::Server> server;  // ends first
};

ModelServer::ModelServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ModelServer::~ModelServer() { Stop(0); }

Result<std::unique_ptr<ModelServer>> ModelServer::Start(Engine& engine, Backend backend,
                                                        ModelServerOptions options) {
  auto impl = std::make_unique<Impl>(engine, std::move(backend), options);
  const auto context = std::make_shared<ServeContext>(
      ServeContext{impl->model, impl->backend, [impl = impl.get()] { return impl->Metrics(); }});
  std::vector<http::Route> routes = MakeRoutes(context);
  routes.push_back({"GET", "/v1/flashmoe/live",
                    [&live = impl->live](auto exchange) { live.Listen(std::move(exchange)); }});

  http::ServerOptions server;
  server.host = options.host;
  server.port = options.port;
  server.limits = options.limits;
  server.access = {NamesOf(options.host), std::move(options.origins), std::move(options.keys)};
  server.render_refusal = RenderRefusal;
  server.on_request = std::move(options.on_request);
  FM_ASSIGN_OR_RETURN(impl->server, http::Server::Listen(std::move(server), std::move(routes)));
  return std::unique_ptr<ModelServer>(new ModelServer(std::move(impl)));
}

uint16_t ModelServer::port() const { return impl_->server->port(); }

bool ModelServer::Stop(double seconds) {
  impl_->live.Stop();
  return impl_->server->Stop(seconds);
}

}  // namespace flashmoe
