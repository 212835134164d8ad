#include "model/json_reader.h"

#include <fmt/format.h>

#include <cmath>

namespace flashmoe {

const nlohmann::json* JsonReader::Find(const std::string& key) const {
  if (!object_.is_object()) return nullptr;
  const auto it = object_.find(prefix_ + key);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

void JsonReader::Fail(const std::string& key, const std::string& problem) {
  if (!status_.has_value()) return;
  status_ = InvalidInput(fmt::format("{}{} {}", prefix_, key, problem), where_,
                         "the file is damaged or of an unknown kind");
}

int64_t JsonReader::Int(const std::string& key, int64_t low, int64_t high) {
  const nlohmann::json* value = Find(key);
  // GGUF writers sometimes give one value per layer where all are the same.
  if (value != nullptr && value->is_array() && !value->empty()) {
    for (const auto& item : *value) {
      if (item != value->front()) {
        Fail(key, "differs from layer to layer, which is not supported");
        return low;
      }
    }
    value = &value->front();
  }
  if (value == nullptr || !value->is_number_integer()) {
    Fail(key, value == nullptr ? "is missing" : "is not an integer");
    return low;
  }
  const bool huge =
      value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX);
  const int64_t number = huge ? INT64_MAX : value->get<int64_t>();
  if (number < low || number > high) {
    Fail(key, fmt::format("is {}, not within {} to {}", value->dump(), low, high));
    return low;
  }
  return number;
}

int64_t JsonReader::IntOr(const std::string& key, int64_t fallback, int64_t low, int64_t high) {
  return Find(key) == nullptr ? fallback : Int(key, low, high);
}

double JsonReader::Number(const std::string& key, double low, double high) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr || !value->is_number()) {
    Fail(key, value == nullptr ? "is missing" : "is not a number");
    return low;
  }
  const double number = value->get<double>();
  if (!(number >= low && number <= high)) {
    Fail(key, fmt::format("is {}, not within {} to {}", number, low, high));
    return low;
  }
  return number;
}

double JsonReader::NumberOr(const std::string& key, double fallback, double low, double high) {
  return Find(key) == nullptr ? fallback : Number(key, low, high);
}

bool JsonReader::BoolOr(const std::string& key, bool fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  Fail(key, "is not true or false");
  return fallback;
}

std::string JsonReader::StringOr(const std::string& key, std::string fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return fallback;
  if (value->is_string()) return value->get<std::string>();
  Fail(key, "is not a string");
  return fallback;
}

}  // namespace flashmoe
