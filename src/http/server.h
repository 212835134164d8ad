// An HTTP/1.1 server on Boost.Asio, none of whose types appear here.
//
// One thread moves bytes; a few others run handlers, which may take their time, and whatever thread
// a handler chose sends the answer. Every queue has a limit in ServerLimits.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/status.h"
#include "http/access.h"
#include "http/message.h"

namespace flashmoe::http {

struct ServerLimits {
  uint32_t header_bytes_max = 16 << 10;
  uint64_t body_bytes_max = 16 << 20;
  uint64_t bodies_bytes_max = 64 << 20;  // of all requests that are there at the same time
  uint64_t unsent_bytes_max = 4 << 20;   // of one answer: who reads slower than that is dropped
  int connections_max = 256;
  double idle_s = 75;       // between requests
  double header_s = 10;     // from a request's first byte to the end of its headers
  double body_s = 60;       // from there to the end of its body
  double send_s = 30;       // for each 64 KiB of an answer
  double heartbeat_s = 10;  // a stream is silent at most so long
};

// A request and its answer. The answer is either one Send, or BeginStream, any number of Writes and
// End. None of these wait. An exchange that its last owner leaves unanswered is answered with 500,
// a stream that is not ended is cut off.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const Request& request() const = 0;
  // The request's body, once: so that it is not held, and counted, until the answer's end.
  virtual std::string TakeBody() = 0;
  // Set as soon as the client has left, reads too slowly, or the server wants to stop.
  virtual std::shared_ptr<const CancelFlag> cancelled() const = 0;

  virtual void Send(Response response) = 0;
  // `head.body` is the stream's first piece.
  virtual void BeginStream(Response head) = 0;
  // False: `cancelled` is set. What is written then is still sent if the client takes it.
  virtual bool Write(std::string_view piece) = 0;
  virtual void End() = 0;
  // Of what was written: what the client's side has not taken yet.
  virtual size_t unsent_bytes() const = 0;
};

using Handler = std::function<void(std::shared_ptr<Exchange>)>;

struct Route {
  std::string method;  // "GET" also answers HEAD
  std::string path;    // a last part of "*" stands for any text that is not empty
  Handler handler;
  bool needs_key = true;
};

struct RequestRecord {
  std::string method, path, peer;
  int status = 0;
  uint64_t bytes_sent = 0;
  double seconds = 0;
  bool left = false;  // the client did not stay for the end
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8080;  // 0: any that is free
  int handler_threads = 2;
  AccessRules access;
  ServerLimits limits;
  // The body of a refusal, in the form that the path's users understand. Must not block.
  std::function<Response(const Request&, const Refusal&)> render_refusal;
  // Told of every request that ended; may be empty. Must not block.
  std::function<void(const RequestRecord&)> on_request;
};

struct ServerStats {
  int64_t connections = 0;  // open now
  int64_t connections_total = 0;
  int64_t connections_refused = 0;  // above the limit
  int64_t requests_running = 0;
  int64_t clients_left = 0;  // before their answer's end
  std::map<int, int64_t> requests_by_status;
};

class Server {
 public:
  // Listens and answers from now on.
  static Result<std::unique_ptr<Server>> Listen(ServerOptions options, std::vector<Route> routes);
  ~Server();  // Stop(0)

  uint16_t port() const;
  ServerStats stats() const;

  // Takes no new requests, gives the running ones so many seconds to end, then sets their cancel
  // flags, and after `grace_s` more cuts off what is left. Returns whether all ended by themselves.
  bool Stop(double seconds, double grace_s = 5);

 private:
  struct Impl;
  explicit Server(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace flashmoe::http
