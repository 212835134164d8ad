// For tests: an exchange that keeps what it is told, and the words of the bundled model.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>

#include "engine/text_model.h"
#include "format/model_file.h"
#include "http/server.h"

namespace flashmoe {

class TestExchange final : public http::Exchange {
 public:
  explicit TestExchange(std::string path = "/", std::string body = "") {
    request_.method = "POST";
    request_.path = std::move(path);
    request_.body = std::move(body);
  }

  const http::Request& request() const override { return request_; }
  std::string TakeBody() override { return std::move(request_.body); }
  std::shared_ptr<const CancelFlag> cancelled() const override { return flag_; }
  void Send(http::Response response) override {
    const std::lock_guard lock(mutex_);
    response_ = std::move(response);
    ended_ = true;
  }
  void BeginStream(http::Response head) override {
    const std::lock_guard lock(mutex_);
    response_ = std::move(head);
    streaming_ = true;
  }
  bool Write(std::string_view piece) override {
    const std::lock_guard lock(mutex_);
    response_.body += piece;
    return !flag_->IsSet();
  }
  void End() override {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  size_t unsent_bytes() const override { return 0; }

  void Leave() { flag_->Set(); }
  http::Response response() const {
    const std::lock_guard lock(mutex_);
    return response_;
  }
  std::string header(std::string_view name) const {
    for (const http::Header& h : response().headers) {
      if (h.name == name) return h.value;
    }
    return "";
  }
  bool ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  bool streaming() const { return streaming_; }

 private:
  mutable std::mutex mutex_;
  http::Request request_;
  http::Response response_;
  std::shared_ptr<CancelFlag> flag_ = std::make_shared<CancelFlag>();
  bool streaming_ = false, ended_ = false;
};

// Loaded once.
inline const TextModel& EmberText() {
  static const TextModel* const text = [] {
    auto file = ModelFile::Open(FLASHMOE_SOURCE_DIR "/models/ember/ember-q4_k_m.gguf");
    EXPECT_TRUE(file.has_value());
    auto loaded = LoadTextModel(**file);
    EXPECT_TRUE(loaded.has_value());
    return new TextModel(std::move(*loaded));
  }();
  return *text;
}

}  // namespace flashmoe
