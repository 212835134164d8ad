// Typed, bounded access to untrusted JSON metadata, with errors that name the key.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/status.h"

namespace flashmoe {

class JsonReader {
 public:
  // `prefix` stands before every key ("qwen35moe."); `where` names the source in errors.
  JsonReader(const nlohmann::json& object, std::string prefix, std::string where)
      : object_(object), prefix_(std::move(prefix)), where_(std::move(where)) {}

  const nlohmann::json* Find(const std::string& key) const;

  // The first error is kept and every later call returns a default: read all, then look at
  // status().
  int64_t Int(const std::string& key, int64_t low, int64_t high);
  int64_t IntOr(const std::string& key, int64_t fallback, int64_t low, int64_t high);
  double NumberOr(const std::string& key, double fallback, double low, double high);
  double Number(const std::string& key, double low, double high);
  bool BoolOr(const std::string& key, bool fallback);
  std::string StringOr(const std::string& key, std::string fallback);

  void Fail(const std::string& key, const std::string& problem);
  const Status& status() const { return status_; }

 private:
  const nlohmann::json& object_;
  std::string prefix_;
  std::string where_;
  Status status_;
};

}  // namespace flashmoe
