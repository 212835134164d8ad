// JSON and text files beside a model: read whole, within limits.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/status.h"

namespace flashmoe {

inline constexpr int kJsonDepthMax = 64;
inline constexpr uint64_t kConfigBytesMax = uint64_t{16} << 20;
inline constexpr uint64_t kTokenizerBytesMax = uint64_t{128} << 20;

// A JSON object (anything else is an error) nested at most kJsonDepthMax deep. Numbers that no
// double can hold, duplicate keys within an object and invalid UTF-8 are errors. `where` names
// the text in errors.
Result<nlohmann::json> ParseJsonObject(std::string_view text, const std::string& where);

// The whole file; an error if it is not a regular file or larger than `bytes_max`.
Result<std::string> ReadTextFile(const std::string& path, uint64_t bytes_max);

// The same, but empty if there is no such file.
Result<std::string> ReadTextFileIfAny(const std::string& path, uint64_t bytes_max);

// A SAX reader over nlohmann's that says no to everything; formats override what they expect.
// A handler that returns false should have called Refuse() first.
class JsonEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  // Runs the events of `text`; the error is the refusal or the syntax error.
  Status Run(std::string_view text, const std::string& where);

  bool null() override { return Refuse("null is not expected here"); }
  bool boolean(bool) override { return Refuse("true or false is not expected here"); }
  bool number_integer(int64_t) override { return Refuse("a number is not expected here"); }
  bool number_unsigned(uint64_t) override { return Refuse("a number is not expected here"); }
  bool number_float(double, const std::string&) override {
    return Refuse("a number is not expected here");
  }
  bool string(std::string&) override { return Refuse("a string is not expected here"); }
  bool binary(nlohmann::json::binary_t&) override { return Refuse("binary data"); }
  bool start_object(size_t) override { return Refuse("an object is not expected here"); }
  bool key(std::string&) override { return Refuse("a key is not expected here"); }
  bool end_object() override { return Refuse("the end of an object is not expected here"); }
  bool start_array(size_t) override { return Refuse("an array is not expected here"); }
  bool end_array() override { return Refuse("the end of an array is not expected here"); }
  bool parse_error(size_t position, const std::string& token,
                   const nlohmann::json::exception& error) override;

 protected:
  // Always false.
  bool Refuse(std::string what, ErrorCode code = ErrorCode::kInvalidInput);

 private:
  Error error_;
};

}  // namespace flashmoe
