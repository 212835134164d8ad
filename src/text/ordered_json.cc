#include "text/ordered_json.h"

#include <fmt/format.h>

#include <unordered_set>
#include <utility>
#include <vector>

#include "base/nul.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

// Builds the document. nlohmann's ordered objects look for a key from the front each time; here a
// set of names does it, so that large objects take linear time.
class Builder : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  Json TakeRoot() { return std::move(root_); }
  Error TakeError() { return std::move(error_); }

  bool null() override { return Place(Json()) != nullptr; }
  bool boolean(bool value) override { return Place(Json(value)) != nullptr; }
  bool number_integer(int64_t value) override { return Place(Json(value)) != nullptr; }
  bool number_unsigned(uint64_t value) override { return Place(Json(value)) != nullptr; }
  bool number_float(double value, const std::string&) override {
    return Place(Json(value)) != nullptr;
  }
  bool string(std::string& value) override { return Place(Json(std::move(value))) != nullptr; }
  bool binary(Json::binary_t&) override { return Refuse("binary data"); }
  bool start_object(size_t) override { return Enter(Json::object()); }
  bool start_array(size_t) override { return Enter(Json::array()); }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }

  bool key(std::string& name) override {
    if (!open_.back().names.insert(name).second) {
      return Refuse(fmt::format("the key {} is there twice", QuoteText(name)));
    }
    key_ = std::move(name);
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    std::string_view text = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: what happened"
    if (const size_t end = text.find(": "); end != std::string_view::npos) {
      text.remove_prefix(end + 2);
    }
    return Refuse(
        fmt::format("malformed JSON at byte {}: {}", position, SanitizeUtf8(text.substr(0, 200))));
  }

 private:
  struct Open {
    Json* value;
    std::unordered_set<std::string> names;  // of an object
  };

  bool Refuse(std::string what) {
    error_ = InvalidInput(std::move(what)).error();
    return false;
  }

  Json* Place(Json value) {
    if (++values_ > limits_.values) {
      Refuse(fmt::format("more than {} values", limits_.values));
      return nullptr;
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back().value;
    if (parent.is_array()) {
      auto& items = parent.get_ref<Json::array_t&>();
      return &items.emplace_back(std::move(value));
    }
    auto& members = parent.get_ref<Json::object_t&>();
    return &members.emplace_back(std::move(key_), std::move(value)).second;
  }

  bool Enter(Json container) {
    if (open_.size() >= limits_.depth) {
      return Refuse(fmt::format("nested more than {} deep", limits_.depth));
    }
    Json* const placed = Place(std::move(container));
    if (placed == nullptr) return false;
    open_.push_back({placed, {}});
    return true;
  }
  bool Leave() {
    open_.pop_back();
    return true;
  }

  JsonLimits limits_;
  Json root_;
  std::vector<Open> open_;  // each inside the one before, whose last element it is
  std::string key_;
  size_t values_ = 0;
  Error error_;
};

}  // namespace

Result<Json> ParseOrderedJson(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    return InvalidInput(fmt::format("{} bytes of JSON", text.size()), {},
                        fmt::format("at most {} are read", limits.bytes));
  }
  FM_RETURN_IF_ERROR(RefuseNul(text));
  Builder builder(limits);
  if (!Json::sax_parse(text, &builder)) return std::unexpected(builder.TakeError());
  return builder.TakeRoot();
}

std::string DumpJson(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string EscapeJson(std::string_view text) {
  std::string quoted = DumpJson(Json(text));
  quoted.pop_back();
  quoted.erase(0, 1);
  return quoted;
}

}  // namespace flashmoe
