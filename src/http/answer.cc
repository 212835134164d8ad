#include "http/answer.h"

#include "base/check.h"

namespace flashmoe::http {

std::string Answer::Wire::Take(size_t bytes_max) {
  std::string piece = queued.substr(taken, bytes_max);
  taken += piece.size();
  // Moving what is left to the front costs as much as it frees, at most.
  if (taken * 2 >= queued.size()) {
    queued.erase(0, taken);
    taken = 0;
  }
  return piece;
}

void Answer::Wire::Drop() {
  queued = {};
  taken = 0;
}

Answer::Answer(Request request, Context context)
    : request_(std::move(request)),
      context_(std::move(context)),
      head_only_(request_.method == "HEAD") {}

Answer::~Answer() {
  bool begun = false;
  {
    const std::lock_guard lock(wire_->mutex);
    if (wire_->ended) return;
    begun = wire_->begun;
    if (begun) {  // no last chunk: the client sees that the stream is not whole
      wire_->ended = true;
      wire_->keep_alive = false;
    }
  }
  if (begun) {
    context_.wake();
  } else {
    Refuse({500, "the request was dropped without an answer", {}});
  }
}

// REQUIRES: the lock.
void Answer::Begin(Response& head, Framing framing) {
  FM_CHECK(!wire_->begun);
  framing_ = framing;
  wire_->begun = true;
  wire_->status = head.status;
  wire_->keep_alive = context_.keep_alive && request_.keep_alive && framing != Framing::kToClose;
  head.headers.insert(head.headers.end(), context_.headers.begin(), context_.headers.end());
  wire_->queued += SerializeHead(head, framing, wire_->keep_alive);
}

std::string Answer::TakeBody() {
  std::string body = std::move(request_.body);
  request_.body = {};
  {
    const std::lock_guard lock(wire_->mutex);
    wire_->body_taken = true;
  }
  context_.wake();
  return body;
}

void Answer::Send(Response response) {
  {
    const std::lock_guard lock(wire_->mutex);
    Begin(response, Framing::kLength);
    if (!head_only_ && response.status != 204) wire_->queued += response.body;
    wire_->ended = true;
  }
  context_.wake();
}

void Answer::BeginStream(Response head) {
  {
    const std::lock_guard lock(wire_->mutex);
    Begin(head, request_.http10 ? Framing::kToClose : Framing::kChunked);
    const bool chunked = framing_ == Framing::kChunked;
    if (head_only_) {
      wire_->ended = true;
      cancelled_->Set();
    } else if (!head.heartbeat.empty()) {
      wire_->heartbeat = chunked ? SerializeChunk(head.heartbeat) : head.heartbeat;
    }
  }
  if (head.body.empty()) return context_.wake();
  Write(head.body);
}

bool Answer::Write(std::string_view piece) {
  {
    const std::lock_guard lock(wire_->mutex);
    FM_CHECK(wire_->begun && framing_ != Framing::kLength);
    if (wire_->broken || wire_->ended || wire_->too_slow) return false;
    if (piece.empty()) return true;
    if (wire_->unsent() + piece.size() > context_.unsent_bytes_max) {
      wire_->too_slow = true;
      cancelled_->Set();
    } else if (framing_ == Framing::kChunked) {
      wire_->queued += SerializeChunk(piece);
    } else {
      wire_->queued += piece;
    }
  }
  context_.wake();
  return !cancelled_->IsSet();
}

void Answer::End() {
  {
    const std::lock_guard lock(wire_->mutex);
    FM_CHECK(wire_->begun);
    if (wire_->ended) return;
    if (framing_ == Framing::kChunked) wire_->queued += SerializeChunk("");
    wire_->ended = true;
  }
  context_.wake();
}

size_t Answer::unsent_bytes() const {
  const std::lock_guard lock(wire_->mutex);
  return wire_->unsent() + wire_->in_flight;
}

void Answer::Refuse(const Refusal& refusal) {
  Response response = context_.render_refusal(request_, refusal);
  response.status = refusal.status;
  response.headers.insert(response.headers.end(), refusal.headers.begin(), refusal.headers.end());
  Send(std::move(response));
}

}  // namespace flashmoe::http
