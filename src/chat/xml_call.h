// A call in Qwen3.5's form, from after its <function=NAME>, as JSON arguments while it is written:
//
//   <parameter=KEY>\nVALUE\n</parameter> ... </function>
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "chat/held_text.h"

namespace flashmoe {

class XmlCallReader {
 public:
  enum class State {
    kReading,
    kFunctionEnd,  // came to </function>
    kBlockEnd,     // came to </tool_call> without it
  };

  // `parameters`: the function's schema, for the types of values; it is read in Read() only.
  explicit XmlCallReader(const nlohmann::ordered_json& parameters) : parameters_(parameters) {}

  // Takes what is decided from the front of `held`, up to the end of the function, and appends to
  // `arguments` what follows from it. `ended`: no more text comes.
  State Read(HeldText& held, bool ended, std::string& arguments);

 private:
  enum class At { kBody, kName, kValue, kAfterValue };

  bool ReadBody(HeldText& held, std::string& arguments);
  bool ReadName(HeldText& held, std::string& arguments);
  bool ReadValue(HeldText& held, std::string& arguments);
  bool ReadAfterValue(HeldText& held, bool ended, std::string& arguments);
  void BeginValue(std::string key, std::string& arguments);
  void EndValue(std::string_view value, std::string& arguments);

  const nlohmann::ordered_json& parameters_;
  At at_ = At::kBody;
  State state_ = State::kReading;
  std::set<std::string> keys_;  // that were there already; the first value of a key holds
  // Of the open value:
  uint32_t types_ = 0;
  bool skip_ = false;     // its key was there before
  bool streams_ = false;  // a string: what is certain of it is given out at once
  bool begun_ = false;    // its leading line break was looked at
  size_t scanned_ = 0;    // bytes of the held text in which its end is not
};

}  // namespace flashmoe
