// The fields of one JSON object of a request. The first thing that is wrong is kept, with the path
// of the field, and what follows is read all the same: ask for status() at the end.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace flashmoe {

class Fields {
 public:
  using Json = nlohmann::ordered_json;

  // `path` of the object itself: "" for the whole request, "messages[0]". What is not an object is
  // an error, and has no fields.
  // REQUIRES: the object outlives this.
  Fields(const Json& json, std::string path);
  Fields(Json&& json, std::string path) = delete;

  // Null if the field is absent or null.
  const Json* Find(std::string_view key) const;
  std::string Path(std::string_view key) const;

  // What is absent or null leaves `out` as it is.
  void Read(std::string_view key, std::string& out);
  void Read(std::string_view key, bool& out);
  void Read(std::string_view key, std::optional<bool>& out);
  void Read(std::string_view key, std::optional<float>& out);
  // Whole numbers; 3.0 is one.
  void Read(std::string_view key, std::optional<int64_t>& out, int64_t min, int64_t max);
  // A string, or an array of at most `max` strings; empty ones are errors.
  void Read(std::string_view key, std::vector<std::string>& out, size_t max);

  // The index of the field's text in `words`; nullopt if it is absent, or wrong.
  std::optional<size_t> ReadWord(std::string_view key, std::vector<std::string_view> words);

  void Require(std::string_view key);
  // The field may be there only as null, false, or an empty text, array or object.
  void Refuse(std::string_view key, std::string hint = {});

  void Fail(ErrorCode code, std::string what, std::string_view key, std::string hint = {});
  // Keeps the error if it is the first.
  void Fail(const Status& status);
  bool ok() const { return status_.has_value(); }
  const Status& status() const { return status_; }

 private:
  const Json& json_;
  std::string path_;
  Status status_;
};

// Calls read(item, path) for each item of the array at `key`, until one fails.
template <typename Function>
void ForEach(Fields& fields, std::string_view key, Function read) {
  const nlohmann::ordered_json* items = fields.Find(key);
  if (items == nullptr) return;
  if (!items->is_array()) {
    fields.Fail(ErrorCode::kInvalidInput, std::string(key) + " is not an array", key);
    return;
  }
  for (size_t i = 0; i < items->size() && fields.ok(); ++i) {
    fields.Fail(read((*items)[i], fields.Path(key) + "[" + std::to_string(i) + "]"));
  }
}

}  // namespace flashmoe
