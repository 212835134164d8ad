#include "format/json_text.h"

#include <fmt/format.h>

#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/nul.h"
#include "base/units.h"
#include "format/utf8.h"
#include "io/file.h"

namespace flashmoe {
namespace {

using Json = nlohmann::json;

// Builds the document, with the limits that Json::parse lacks.
class DocumentBuilder : public JsonEvents {
 public:
  Json Take() { return std::move(root_); }

  bool null() override { return Place(Json()); }
  bool boolean(bool value) override { return Place(Json(value)); }
  bool number_integer(int64_t value) override { return Place(Json(value)); }
  bool number_unsigned(uint64_t value) override { return Place(Json(value)); }
  bool number_float(double value, const std::string&) override { return Place(Json(value)); }
  bool string(std::string& value) override { return Place(Json(std::move(value))); }
  bool start_object(size_t) override { return Enter(Json::object()); }
  bool start_array(size_t) override { return Enter(Json::array()); }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }
  bool key(std::string& name) override {
    auto [place, fresh] =
        open_.back()->get_ref<Json::object_t&>().try_emplace(std::move(name), Json());
    if (!fresh) return Refuse(fmt::format("the key {} is there twice", Quoted(place->first)));
    value_ = &place->second;
    return true;
  }

 private:
  bool Place(Json value) {
    PlaceValue(std::move(value));
    return true;
  }
  Json* PlaceValue(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      auto& array = open_.back()->get_ref<Json::array_t&>();
      array.push_back(std::move(value));
      return &array.back();
    }
    *value_ = std::move(value);
    return value_;
  }
  bool Enter(Json container) {
    if (open_.empty() && !container.is_object()) return Refuse("this is not a JSON object");
    if (open_.size() >= kJsonDepthMax) {
      return Refuse(fmt::format("nested more than {} deep", kJsonDepthMax));
    }
    open_.push_back(PlaceValue(std::move(container)));
    return true;
  }
  bool Leave() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Json*> open_;  // each inside the one before, whose last element it is
  Json* value_ = nullptr;    // of the last key
};

}  // namespace

bool JsonEvents::Refuse(std::string what, ErrorCode code) {
  error_.code = code;
  error_.what = std::move(what);
  return false;
}

bool JsonEvents::parse_error(size_t position, const std::string&, const Json::exception& error) {
  std::string_view text = error.what();
  // "[json.exception.parse_error.101] parse error at line 1, column 2: what happened"
  if (const size_t end = text.find(": "); end != text.npos) text.remove_prefix(end + 2);
  // It quotes what it read last, which may be long.
  const std::string reason = ReplaceInvalidUtf8(text.substr(0, 200));
  return Refuse(fmt::format("malformed JSON at byte {}: {}", position, reason));
}

Status JsonEvents::Run(std::string_view text, const std::string& where) {
  error_ = {};
  FM_RETURN_IF_ERROR(RefuseNul(text, where));
  if (Json::sax_parse(text, this)) return {};
  error_.where = where;
  return std::unexpected(error_);
}

Result<Json> ParseJsonObject(std::string_view text, const std::string& where) {
  DocumentBuilder builder;
  FM_RETURN_IF_ERROR(builder.Run(text, where));
  Json document = builder.Take();
  if (!document.is_object()) return InvalidInput("this is not a JSON object", where);
  return document;
}

Result<std::string> ReadTextFile(const std::string& path, uint64_t bytes_max) {
  FM_ASSIGN_OR_RETURN(const auto file, File::Open(path));
  if (file->size() > bytes_max) {
    return InvalidInput(fmt::format("{} is too large for such a file, at most {} are read",
                                    FormatBytes(file->size()), FormatBytes(bytes_max)),
                        path);
  }
  std::string text(static_cast<size_t>(file->size()), '\0');
  FM_RETURN_IF_ERROR(file->ReadAt(0, std::as_writable_bytes(std::span(text))));
  return text;
}

Result<std::string> ReadTextFileIfAny(const std::string& path, uint64_t bytes_max) {
  auto text = ReadTextFile(path, bytes_max);
  if (!text.has_value() && text.error().code == ErrorCode::kNotFound) return std::string();
  return text;
}

}  // namespace flashmoe
