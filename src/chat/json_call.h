// A call in Qwen3's form, {"name": NAME, "arguments": {...}}, read while it is being written.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace flashmoe {

class JsonCallReader {
 public:
  enum class State {
    kReading,
    kDone,  // the object is closed
    kBad,   // this is no such object
  };

  // Takes bytes up to the end of the object, or to the first that does not belong there; returns
  // how many it took.
  size_t Push(std::string_view text);

  State state() const { return state_; }
  // Empty until it is known.
  const std::string& name() const { return name_; }
  // The arguments as JSON text, as far as they are known.
  const std::string& arguments() const { return arguments_; }
  // Whether the arguments have ended and are a JSON object. An object without any has "{}" once it
  // is done.
  bool ArgumentsAreWhole() const;

 private:
  enum class At { kStart, kKey, kInKey, kColon, kValue, kInString, kInScalar, kInNested, kComma };

  bool Take(char c);                          // false: the byte does not belong here
  void TakeString(char c, std::string& out);  // a byte of a string after its opening quote
  void TakeNested(char c);
  void EndValue();
  void EndObject();

  At at_ = At::kStart;
  State state_ = State::kReading;
  std::string key_, value_;  // as written
  bool in_string_ = false, escaped_ = false;
  int depth_ = 0;         // of brackets in a nested value
  bool streams_ = false;  // the nested value is the arguments
  bool has_arguments_ = false, arguments_ended_ = false;
  std::string name_, arguments_;
};

}  // namespace flashmoe
