#include "http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>

#include "base/clock.h"

namespace flashmoe::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kSendBytes = 64 << 10;
// Pipelined requests wait here; who sends more has to wait.
constexpr size_t kInputBytesMax = 256 << 10;
// A client that sends what nobody wants may go on for so long until it reads why.
constexpr double kLingerSeconds = 2;

const Refusal kSlowHeaders = {408, "the request's headers took too long", {}};
const Refusal kSlowBody = {408, "the request's body took too long", {}};

std::chrono::steady_clock::duration Seconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
}

bool Matches(const Route& route, const Request& request) {
  if (!route.path.ends_with('*')) return route.path == request.path;
  const std::string_view stem = std::string_view(route.path).substr(0, route.path.size() - 1);
  return request.path.size() > stem.size() && request.path.starts_with(stem);
}

bool Serves(const Route& route, std::string_view method) {
  return route.method == method || (route.method == "GET" && method == "HEAD");
}

}  // namespace

Connection::Connection(std::shared_ptr<Shared> shared, asio::ip::tcp::socket socket)
    : shared_(std::move(shared)),
      socket_(std::move(socket)),
      changed_(shared_->io, std::chrono::steady_clock::time_point::max()),
      deadline_(shared_->io) {
  error_code ignored;
  peer_ = socket_.remote_endpoint(ignored).address().to_string();
}

void Connection::Start() {
  const auto self = shared_from_this();
  reading_ = true;
  asio::co_spawn(
      shared_->io, [self] { return self->ReadAll(); }, asio::detached);
  asio::co_spawn(
      shared_->io, [self] { return self->Serve(); }, asio::detached);
}

void Connection::Wake() { changed_.cancel(); }

// A send in flight may wait long for its client: one who is too slow already is not waited for.
void Connection::AnswerChanged() {
  if (writing_ && wire_ != nullptr) {
    const std::lock_guard lock(wire_->mutex);
    error_code ignored;
    if (wire_->too_slow) socket_.close(ignored);
  }
  Wake();
}

void Connection::Cancel() {
  if (cancel_ != nullptr) cancel_->Set();
  Wake();
}

void Connection::Abort() {
  closing_ = true;
  error_code ignored;
  socket_.close(ignored);
  Cancel();
}

void Connection::Expire(double seconds) {
  expired_ = false;
  deadline_.expires_at(seconds > 0 ? std::chrono::steady_clock::now() + Seconds(seconds)
                                   : std::chrono::steady_clock::time_point::max());
  deadline_.async_wait([self = shared_from_this()](error_code error) {
    if (error || std::chrono::steady_clock::now() < self->deadline_.expiry()) return;
    self->expired_ = true;
    error_code ignored;
    if (self->writing_) self->socket_.close(ignored);
    self->Wake();
  });
}

Connection::Task Connection::Changed() {
  error_code ignored;
  co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

// The only reader. It goes on while a request is answered: that is how a client that leaves is
// noticed.
Connection::Task Connection::ReadAll() {
  std::string buffer(kReadBytes, '\0');
  error_code error;
  while (!error && !closing_) {
    if (in_.size() >= kInputBytesMax) {
      co_await Changed();
      continue;
    }
    const size_t count = co_await socket_.async_read_some(
        asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    in_.append(buffer, 0, count);
    Wake();
  }
  input_ended_ = true;
  reading_ = false;
  // A client that has closed its side is not waiting any more; one that has reset the connection
  // cannot even be told.
  if (wire_ != nullptr && error != asio::error::eof) {
    const std::lock_guard lock(wire_->mutex);
    wire_->broken = true;
  }
  Cancel();
}

Connection::Truth Connection::MoreInput() {
  const size_t before = in_.size();
  while (in_.size() == before) {
    if (input_ended_ || expired_ || closing_) co_return false;
    co_await Changed();
  }
  co_return true;
}

Connection::Task Connection::Serve() {
  while (!closing_ && co_await ServeOne()) {
  }
  co_await Linger();
  Expire(0);
  deadline_.cancel();
  Abort();
  while (reading_) co_await Changed();
  shared_->connections.erase(shared_from_this());
  const std::lock_guard lock(shared_->stats_mutex);
  --shared_->stats.connections;
}

// Closing a socket that has unread bytes destroys what was sent on it: first hear the client out.
Connection::Task Connection::Linger() {
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  Expire(shared_->stopping ? 0.1 : kLingerSeconds);
  while (!input_ended_ && !expired_ && !closing_) {
    in_.clear();
    Wake();
    co_await Changed();
  }
}

Connection::Truth Connection::ServeOne() {
  Expire(shared_->options.limits.idle_s);
  while (in_.empty()) {
    if (input_ended_ || expired_ || shared_->stopping || closing_) co_return false;
    co_await Changed();
  }
  const ServerLimits& limits = shared_->options.limits;
  RequestParser parser(limits.header_bytes_max, limits.body_bytes_max);
  handler_ = nullptr;
  const bool received = co_await Receive(parser);
  bool goes_on = false;
  if (received) {
    Expire(0);
    std::shared_ptr<Answer> answer = MakeAnswer(std::move(parser.request()), true);
    goes_on = co_await RunAnswer(std::move(answer));
  }
  ReleaseBody();
  co_return goes_on;
}

void Connection::ReleaseBody() {
  shared_->bodies_bytes -= reserved_bytes_;
  reserved_bytes_ = 0;
}

// Reads a request up to its end. False: it was refused, or the client left.
Connection::Truth Connection::Receive(RequestParser& parser) {
  Expire(shared_->options.limits.header_s);
  auto state = RequestParser::State::kNeedMore;
  while ((state = parser.Push(in_)) == RequestParser::State::kNeedMore) {
    if (co_await MoreInput()) continue;
    if (expired_) co_await Refuse(parser.request(), kSlowHeaders);
    co_return false;
  }
  if (state == RequestParser::State::kRefused) {
    co_await Refuse(parser.request(), parser.refusal());
    co_return false;
  }
  if (const std::optional<Refusal> refusal = Admit(parser)) {
    co_await Refuse(parser.request(), *refusal);
    co_return false;
  }
  co_return co_await ReceiveBody(parser);
}

Connection::Truth Connection::ReceiveBody(RequestParser& parser) {
  Expire(shared_->options.limits.body_s);
  if (EqualsIgnoringCase(parser.request().header("Expect"), "100-continue") && in_.empty()) {
    error_code error;
    co_await asio::async_write(socket_, asio::buffer("HTTP/1.1 100 Continue\r\n\r\n", 25),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return false;
  }
  auto state = RequestParser::State::kNeedMore;
  while ((state = parser.Push(in_)) == RequestParser::State::kNeedMore) {
    Wake();  // there is room for the reader
    if (co_await MoreInput()) continue;
    if (expired_) co_await Refuse(parser.request(), kSlowBody);
    co_return false;
  }
  Wake();
  if (state == RequestParser::State::kDone) co_return true;
  co_await Refuse(parser.request(), parser.refusal());
  co_return false;
}

// Everything that can be refused before the body is there.
std::optional<Refusal> Connection::Admit(RequestParser& parser) {
  const Request& request = parser.request();
  const AccessRules& access = shared_->options.access;
  if (auto refusal = CheckHost(access, request)) return refusal;
  if (auto refusal = CheckOrigin(access, request)) return refusal;
  if (shared_->stopping) return Refusal{503, "the server is stopping", {{"Retry-After", "10"}}};
  if (auto refusal = FindRoute(request)) return refusal;

  const ServerLimits& limits = shared_->options.limits;
  const uint64_t bytes = parser.promised_bytes().value_or(limits.body_bytes_max);
  if (shared_->bodies_bytes + bytes > limits.bodies_bytes_max) {
    return Refusal{503, "too many bytes are being received at once", {{"Retry-After", "1"}}};
  }
  shared_->bodies_bytes += bytes;
  reserved_bytes_ = bytes;
  return std::nullopt;
}

std::optional<Refusal> Connection::FindRoute(const Request& request) {
  if (IsPreflight(request) || request.method == "OPTIONS") return std::nullopt;
  std::string allowed;
  bool needs_key = true;
  for (const Route& route : shared_->routes) {
    if (!Matches(route, request)) continue;
    needs_key = needs_key && route.needs_key;
    if (Serves(route, request.method)) {
      handler_ = &route.handler;
      break;
    }
    allowed += (allowed.empty() ? "" : ", ") + route.method;
  }
  // Whoever has no key learns nothing of what is there.
  if (needs_key) {
    if (auto refusal = CheckKey(shared_->options.access, request)) return refusal;
  }
  if (handler_ != nullptr) return std::nullopt;
  if (allowed.empty()) return Refusal{404, "there is nothing at " + request.path, {}};
  return Refusal{405, request.path + " takes " + allowed, {{"Allow", allowed}}};
}

std::shared_ptr<Answer> Connection::MakeAnswer(Request request, bool keep_alive) {
  Answer::Context context;
  context.unsent_bytes_max = shared_->options.limits.unsent_bytes_max;
  context.headers = CorsHeaders(shared_->options.access, request);
  context.keep_alive = keep_alive && !shared_->stopping;
  context.render_refusal = shared_->options.render_refusal;
  context.wake = [shared = shared_, weak = weak_from_this()] {
    asio::post(shared->io, [weak] {
      if (const auto self = weak.lock()) self->AnswerChanged();
    });
  };
  return std::make_shared<Answer>(std::move(request), std::move(context));
}

// The arguments must outlive the call: g++ 12 destroys temporaries twice that are made for it.
Connection::Task Connection::Refuse(const Request& request, const Refusal& refusal) {
  Expire(0);
  const std::shared_ptr<Answer> answer = MakeAnswer(request, false);
  answer->Refuse(refusal);
  wire_ = answer->wire();
  const double began = NowSeconds();
  co_await SendAll(*wire_);
  Record(request, *wire_, began);
  wire_.reset();
}

Connection::Truth Connection::RunAnswer(std::shared_ptr<Answer> answer) {
  const double began = NowSeconds();
  const std::shared_ptr<Answer::Wire> wire = answer->wire();
  wire_ = wire;
  cancel_ = answer->cancel_flag();
  if (input_ended_) cancel_->Set();
  Request summary;
  summary.method = answer->request().method;
  summary.path = answer->request().path;
  {
    const std::lock_guard lock(shared_->stats_mutex);
    ++shared_->stats.requests_running;
  }
  if (handler_ == nullptr) {
    Response nothing;
    nothing.status = 204;
    nothing.headers = {{"Allow", "GET, POST, OPTIONS"}};
    answer->Send(std::move(nothing));
  } else {
    asio::post(shared_->handlers, [handler = handler_, answer = std::move(answer)]() mutable {
      try {
        (*handler)(std::move(answer));
      } catch (const std::exception&) {
        // Out of memory, say: the exchange is let go of, which answers it.
      }
    });
  }
  answer.reset();
  const bool sent = co_await SendAll(*wire);
  {
    const std::lock_guard lock(shared_->stats_mutex);
    --shared_->stats.requests_running;
  }
  Record(summary, *wire, began);
  wire_.reset();
  cancel_.reset();
  co_return sent && wire->keep_alive;
}

// Sends the answer as it is made, up to its end. False: the client did not take it.
Connection::Truth Connection::SendAll(Answer::Wire& wire) {
  const double heartbeat_s = shared_->options.limits.heartbeat_s;
  sent_bytes_ = 0;
  std::string piece;
  while (!closing_) {
    bool ended = false;
    {
      const std::lock_guard lock(wire.mutex);
      if (wire.body_taken) ReleaseBody();
      if (wire.broken || wire.too_slow) break;
      if (expired_ && wire.unsent() == 0 && !wire.ended) wire.queued = wire.heartbeat;
      piece = wire.Take(kSendBytes);
      wire.in_flight = piece.size();
      ended = wire.ended;
    }
    if (!piece.empty()) {
      if (!co_await SendPiece(wire, piece)) break;
    } else if (ended) {
      co_return true;
    } else {
      Expire(heartbeat_s);
      co_await Changed();
    }
  }
  const std::lock_guard lock(wire.mutex);
  wire.broken = true;
  wire.Drop();
  if (cancel_ != nullptr) cancel_->Set();
  co_return false;
}

Connection::Truth Connection::SendPiece(Answer::Wire& wire, const std::string& piece) {
  Expire(shared_->options.limits.send_s);
  writing_ = true;
  error_code error;
  sent_bytes_ += co_await asio::async_write(socket_, asio::buffer(piece),
                                            asio::redirect_error(asio::use_awaitable, error));
  writing_ = false;
  Expire(0);
  const std::lock_guard lock(wire.mutex);
  wire.in_flight = 0;
  co_return !error;
}

void Connection::Record(const Request& request, const Answer::Wire& wire, double began) {
  RequestRecord record{.method = request.method,
                       .path = request.path,
                       .peer = peer_,
                       .bytes_sent = sent_bytes_,
                       .seconds = NowSeconds() - began};
  {
    const std::lock_guard lock(wire.mutex);
    record.status = wire.status;
    record.left = wire.broken || (cancel_ != nullptr && input_ended_);
  }
  {
    const std::lock_guard lock(shared_->stats_mutex);
    ++shared_->stats.requests_by_status[record.status];
    if (record.left) ++shared_->stats.clients_left;
  }
  if (shared_->options.on_request) shared_->options.on_request(record);
}

}  // namespace flashmoe::http
