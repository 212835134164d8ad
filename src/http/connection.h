// One connection: requests in, answers out, one after another. Included by this folder's sources
// alone: it shows Boost.Asio.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "http/answer.h"
#include "http/request_parser.h"
#include "http/server.h"

namespace flashmoe::http {

class Connection;

// What a server's connections share. Everything that is not atomic or under the mutex belongs to
// the thread that runs `io`.
struct Shared {
  Shared(ServerOptions o, std::vector<Route> r)
      : options(std::move(o)),
        routes(std::move(r)),
        handlers(static_cast<size_t>(options.handler_threads)) {}

  const ServerOptions options;
  const std::vector<Route> routes;
  boost::asio::io_context io{1};
  boost::asio::thread_pool handlers;
  std::set<std::shared_ptr<Connection>> connections;
  bool stopping = false;
  uint64_t bodies_bytes = 0;

  mutable std::mutex stats_mutex;
  ServerStats stats;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Shared> shared, boost::asio::ip::tcp::socket socket);

  void Start();
  void Wake();    // something changed that a coroutine may wait for
  void Cancel();  // sets the running request's flag
  void Abort();   // closes the socket
  bool busy() const { return wire_ != nullptr; }

 private:
  using Task = boost::asio::awaitable<void>;
  using Truth = boost::asio::awaitable<bool>;

  void AnswerChanged();
  Task ReadAll();  // whatever comes, into in_
  Task Serve();
  Truth ServeOne();  // false: the connection ends
  Truth Receive(RequestParser& parser);
  Truth ReceiveBody(RequestParser& parser);
  Truth RunAnswer(std::shared_ptr<Answer> answer);
  Truth SendAll(Answer::Wire& wire);
  Truth SendPiece(Answer::Wire& wire, const std::string& piece);
  Task Refuse(const Request& request, const Refusal& refusal);
  Truth MoreInput();  // false: there will be none, or it took too long
  Task Changed();
  Task Linger();

  std::optional<Refusal> FindRoute(const Request& request);
  std::optional<Refusal> Admit(RequestParser& parser);
  std::shared_ptr<Answer> MakeAnswer(Request request, bool keep_alive);
  void Expire(double seconds);  // 0: never
  void ReleaseBody();
  void Record(const Request& request, const Answer::Wire& wire, double began);

  std::shared_ptr<Shared> shared_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer changed_;
  boost::asio::steady_timer deadline_;
  std::string peer_;
  std::string in_;
  bool input_ended_ = false;
  bool expired_ = false;
  bool writing_ = false;
  bool reading_ = false;
  bool closing_ = false;
  const Handler* handler_ = nullptr;
  uint64_t reserved_bytes_ = 0;
  uint64_t sent_bytes_ = 0;
  std::shared_ptr<Answer::Wire> wire_;  // of the request that is answered now
  std::shared_ptr<CancelFlag> cancel_;
};

}  // namespace flashmoe::http
