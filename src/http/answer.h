// The bytes of one answer between the thread that makes them and the one that sends them.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "http/server.h"

namespace flashmoe::http {

class Answer final : public Exchange {
 public:
  struct Context {
    uint64_t unsent_bytes_max = 0;
    std::vector<Header> headers;  // added to every response
    bool keep_alive = true;       // unless the request or the server's state says otherwise
    std::function<Response(const Request&, const Refusal&)> render_refusal;
    std::function<void()> wake;  // there is something for the sender; called on any thread
  };

  Answer(Request request, Context context);
  ~Answer() override;

  const Request& request() const override { return request_; }
  std::string TakeBody() override;
  std::shared_ptr<const CancelFlag> cancelled() const override { return cancelled_; }
  void Send(Response response) override;
  void BeginStream(Response head) override;
  bool Write(std::string_view piece) override;
  void End() override;
  size_t unsent_bytes() const override;

  void Refuse(const Refusal& refusal);

  // The rest is for the sender, which outlives the handler's ownership through `Wire`.
  struct Wire {
    // The next bytes to send, at most so many.
    std::string Take(size_t bytes_max);
    size_t unsent() const { return queued.size() - taken; }
    void Drop();

    mutable std::mutex mutex;
    std::string queued;
    size_t taken = 0;       // from the front of what is queued
    std::string heartbeat;  // ready to be sent; empty: none
    size_t in_flight = 0;   // taken, but not yet by the client's side
    bool begun = false, ended = false;
    bool body_taken = false;
    bool broken = false;  // nothing more can be sent
    bool too_slow = false;
    bool keep_alive = true;
    int status = 0;
  };
  std::shared_ptr<Wire> wire() const { return wire_; }
  std::shared_ptr<CancelFlag> cancel_flag() const { return cancelled_; }

 private:
  void Begin(Response& head, Framing framing);

  Request request_;
  Context context_;
  Framing framing_ = Framing::kLength;
  bool head_only_ = false;
  std::shared_ptr<Wire> wire_ = std::make_shared<Wire>();
  std::shared_ptr<CancelFlag> cancelled_ = std::make_shared<CancelFlag>();
};

}  // namespace flashmoe::http
