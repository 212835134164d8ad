#include "http/server.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "http/connection.h"

namespace flashmoe::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// What the system keeps of an answer for a client that reads slowly.
constexpr int kSendBufferBytes = 256 << 10;
// Until what was sent to a machine that vanished is given up.
constexpr int kUnacknowledgedMs = 60'000;

Status SocketFailure(std::string_view what, const std::string& host, uint16_t port,
                     const error_code& error) {
  std::string hint;
  if (error == asio::error::address_in_use) hint = "another program listens there: give --port N";
  if (error == asio::error::access_denied) hint = "ports below 1024 need rights: give --port N";
  return Fail(ErrorCode::kIo, fmt::format("{}: {}", what, error.message()),
              fmt::format("{}:{}", host, port), hint);
}

}  // namespace

struct Server::Impl {
  explicit Impl(std::shared_ptr<Shared> s) : shared(std::move(s)), acceptor(shared->io) {}

  Status Open();
  asio::awaitable<void> Accept();
  void Welcome(tcp::socket socket);
  int64_t Connections() const;
  bool AwaitNoConnections(double seconds) const;

  std::shared_ptr<Shared> shared;
  tcp::acceptor acceptor;
  std::thread thread;
  uint16_t port = 0;
};

Status Server::Impl::Open() {
  const std::string& host = shared->options.host;
  const uint16_t wanted = shared->options.port;
  error_code error;
  tcp::resolver resolver(shared->io);
  const auto found = resolver.resolve(host, std::to_string(wanted), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no address of the name '{}'", host), {},
                "give --host 127.0.0.1, or 0.0.0.0 for every network of this machine");
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return SocketFailure("cannot listen", host, wanted, error);
  port = acceptor.local_endpoint(error).port();
  return {};
}

asio::awaitable<void> Server::Impl::Accept() {
  while (acceptor.is_open()) {
    error_code error;
    tcp::socket socket =
        co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (!error) {
      Welcome(std::move(socket));
    } else if (acceptor.is_open()) {
      // Out of file descriptors, most likely: they come back as connections end.
      asio::steady_timer pause(shared->io, std::chrono::milliseconds(50));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }
}

void Server::Impl::Welcome(tcp::socket socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(asio::socket_base::send_buffer_size(kSendBufferBytes), ignored);
  setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMs,
             sizeof kUnacknowledgedMs);
  socket.non_blocking(true, ignored);
  const bool room = std::ssize(shared->connections) < shared->options.limits.connections_max;
  {
    const std::lock_guard lock(shared->stats_mutex);
    ++shared->stats.connections_total;
    if (room) ++shared->stats.connections;
    if (!room) ++shared->stats.connections_refused;
  }
  if (room) {
    const auto connection = std::make_shared<Connection>(shared, std::move(socket));
    shared->connections.insert(connection);
    return connection->Start();
  }
  Response response = shared->options.render_refusal({}, {503, "too many connections", {}});
  response.status = 503;
  response.headers.push_back({"Retry-After", "5"});
  const std::string bytes = SerializeHead(response, Framing::kLength, false) + response.body;
  socket.send(asio::buffer(bytes), 0, ignored);  // as much as the system takes without waiting
}

int64_t Server::Impl::Connections() const {
  const std::lock_guard lock(shared->stats_mutex);
  return shared->stats.connections;
}

bool Server::Impl::AwaitNoConnections(double seconds) const {
  const double until = NowSeconds() + seconds;
  while (Connections() > 0) {
    if (NowSeconds() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { Stop(0); }

Result<std::unique_ptr<Server>> Server::Listen(ServerOptions options, std::vector<Route> routes) {
  auto impl =
      std::make_shared<Impl>(std::make_shared<Shared>(std::move(options), std::move(routes)));
  FM_RETURN_IF_ERROR(impl->Open());
  asio::co_spawn(impl->shared->io, impl->Accept(), asio::detached);
  impl->thread = std::thread([impl = impl.get()] { impl->shared->io.run(); });
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

uint16_t Server::port() const { return impl_->port; }

ServerStats Server::stats() const {
  const std::lock_guard lock(impl_->shared->stats_mutex);
  return impl_->shared->stats;
}

bool Server::Stop(double seconds, double grace_s) {
  if (!impl_->thread.joinable()) return true;
  const std::shared_ptr<Shared> shared = impl_->shared;
  // What is posted below is still run, though the last connection may have ended.
  auto work = asio::make_work_guard(shared->io);
  const auto for_each = [shared](auto what) {
    asio::post(shared->io, [shared, what] {
      const auto connections = shared->connections;
      for (const auto& connection : connections) what(*connection);
    });
  };
  asio::post(shared->io, [impl = impl_, shared] {
    error_code ignored;
    impl->acceptor.close(ignored);
    shared->stopping = true;
  });
  for_each([](Connection& connection) { connection.Wake(); });
  const bool in_time = impl_->AwaitNoConnections(seconds);
  if (!in_time) {
    for_each([](Connection& connection) { connection.Cancel(); });
    if (!impl_->AwaitNoConnections(grace_s)) {
      for_each([](Connection& connection) { connection.Abort(); });
    }
  }
  work.reset();
  impl_->thread.join();  // the loop ends when nothing is left to wait for
  shared->handlers.stop();
  shared->handlers.join();
  return in_time;
}

}  // namespace flashmoe::http
