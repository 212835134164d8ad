#include "api/fields.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>

#include "text/utf8.h"

namespace flashmoe {
namespace {

std::string_view LastPart(std::string_view path) {
  return path.empty() ? std::string_view("the request") : path;
}

// A number that is whole, whichever way it is written.
std::optional<int64_t> AsInteger(const nlohmann::ordered_json& json) {
  if (json.is_number_unsigned()) {
    const auto value = json.get<uint64_t>();
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<int64_t>(value);
  }
  if (json.is_number_integer()) return json.get<int64_t>();
  if (!json.is_number_float()) return std::nullopt;
  const double value = json.get<double>();
  if (std::trunc(value) != value || std::abs(value) > 0x1p53) return std::nullopt;
  return static_cast<int64_t>(value);
}

}  // namespace

Fields::Fields(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
  if (!json_.is_object()) {
    status_ = InvalidInput(fmt::format("{} is not a JSON object", LastPart(path_)), path_);
  }
}

const Fields::Json* Fields::Find(std::string_view key) const {
  if (!json_.is_object()) return nullptr;
  const auto found = json_.find(key);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

std::string Fields::Path(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void Fields::Read(std::string_view key, std::string& out) {
  const Json* json = Find(key);
  if (json == nullptr) return;
  if (!json->is_string()) {
    return Fail(ErrorCode::kInvalidInput, fmt::format("{} is not a string", key), key);
  }
  out = json->get<std::string>();
}

void Fields::Read(std::string_view key, bool& out) {
  std::optional<bool> value;
  Read(key, value);
  out = value.value_or(out);
}

void Fields::Read(std::string_view key, std::optional<bool>& out) {
  const Json* json = Find(key);
  if (json == nullptr) return;
  if (!json->is_boolean()) {
    return Fail(ErrorCode::kInvalidInput, fmt::format("{} is not true or false", key), key);
  }
  out = json->get<bool>();
}

void Fields::Read(std::string_view key, std::optional<float>& out) {
  const Json* json = Find(key);
  if (json == nullptr) return;
  if (!json->is_number()) {
    return Fail(ErrorCode::kInvalidInput, fmt::format("{} is not a number", key), key);
  }
  const double value = json->get<double>();
  if (!(std::abs(value) <= double{std::numeric_limits<float>::max()})) {
    return Fail(ErrorCode::kInvalidInput, fmt::format("{} is {}", key, value), key);
  }
  out = static_cast<float>(value);
}

void Fields::Read(std::string_view key, std::optional<int64_t>& out, int64_t min, int64_t max) {
  const Json* json = Find(key);
  if (json == nullptr) return;
  const std::optional<int64_t> value = AsInteger(*json);
  if (!value.has_value()) {
    return Fail(ErrorCode::kInvalidInput, fmt::format("{} is not a whole number", key), key);
  }
  if (*value < min || *value > max) {
    const std::string range = max == std::numeric_limits<int64_t>::max()
                                  ? fmt::format("it must be {} or more", min)
                                  : fmt::format("it must lie between {} and {}", min, max);
    return Fail(ErrorCode::kInvalidInput, fmt::format("{} is {}", key, *value), key, range);
  }
  out = *value;
}

void Fields::Read(std::string_view key, std::vector<std::string>& out, size_t max) {
  const Json* json = Find(key);
  if (json == nullptr) return;
  if (json->is_string()) {
    out = {json->get<std::string>()};
  } else if (json->is_array() && json->size() <= max) {
    for (const Json& item : *json) {
      if (!item.is_string()) break;
      out.push_back(item.get<std::string>());
    }
  }
  const size_t count = json->is_array() ? json->size() : 1;
  bool good = out.size() == count;
  for (const std::string& text : out) good &= !text.empty();
  if (!good) {
    Fail(ErrorCode::kInvalidInput, fmt::format("{} is not understood", key), key,
         fmt::format("give a string or up to {} of them, none empty", max));
  }
}

std::optional<size_t> Fields::ReadWord(std::string_view key, std::vector<std::string_view> words) {
  std::string word;
  Read(key, word);
  if (Find(key) == nullptr || !ok()) return std::nullopt;
  for (size_t i = 0; i < words.size(); ++i) {
    if (word == words[i]) return i;
  }
  Fail(ErrorCode::kUnsupported, fmt::format("{} is {}", key, QuoteText(word)), key,
       fmt::format("it may be {}", fmt::join(words, ", ")));
  return std::nullopt;
}

void Fields::Require(std::string_view key) {
  if (ok() && Find(key) == nullptr) {
    Fail(ErrorCode::kInvalidInput, fmt::format("{} is missing", key), key);
  }
}

void Fields::Refuse(std::string_view key, std::string hint) {
  const Json* json = Find(key);
  if (json == nullptr || *json == false) return;
  if ((json->is_string() && json->get_ref<const std::string&>().empty()) ||
      (json->is_structured() && json->empty())) {
    return;
  }
  Fail(ErrorCode::kUnsupported, fmt::format("{} is not supported", key), key, std::move(hint));
}

void Fields::Fail(ErrorCode code, std::string what, std::string_view key, std::string hint) {
  if (ok()) status_ = flashmoe::Fail(code, std::move(what), Path(key), std::move(hint));
}

void Fields::Fail(const Status& status) {
  if (ok()) status_ = status;
}

}  // namespace flashmoe
