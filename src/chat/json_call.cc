#include "chat/json_call.h"

#include <fmt/format.h>

#include "text/ordered_json.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Models forget to escape control characters, above all line breaks.
void AppendInString(char c, std::string& out) {
  if (static_cast<unsigned char>(c) >= 0x20) {
    out += c;
  } else {
    out += EscapeJson(std::string_view(&c, 1));
  }
}

// The text of a JSON string with its quotes; empty if it is none.
std::string Unquote(const std::string& quoted) {
  const auto json = ParseOrderedJson(quoted);
  return json.has_value() && json->is_string() ? json->get<std::string>() : std::string();
}

bool IsArguments(const std::string& key) { return key == "arguments" || key == "parameters"; }

}  // namespace

size_t JsonCallReader::Push(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (state_ != State::kReading) return i;
    if (!Take(text[i])) {
      state_ = State::kBad;
      return i;
    }
  }
  return text.size();
}

bool JsonCallReader::ArgumentsAreWhole() const {
  if (!arguments_ended_) return false;
  const auto json = ParseOrderedJson(arguments_);
  return json.has_value() && json->is_object();
}

bool JsonCallReader::Take(char c) {
  switch (at_) {
    case At::kStart:
      at_ = At::kKey;
      return c == '{';
    case At::kKey:
      if (IsSpace(c)) return true;
      if (c == '}') {
        EndObject();
        return true;
      }
      if (c != '"') return false;
      value_ = c;
      at_ = At::kInKey;
      return true;
    case At::kInKey:
      TakeString(c, value_);
      if (in_string_) return true;
      key_ = Unquote(value_);
      at_ = At::kColon;
      return true;
    case At::kColon:
      if (c == ':') at_ = At::kValue;
      return c == ':' || IsSpace(c);
    case At::kValue:
      if (IsSpace(c)) return true;
      value_.clear();
      in_string_ = false;
      depth_ = 0;
      if (c == '"') {
        value_ = c;
        at_ = At::kInString;
        return true;
      }
      if (c == '{' || c == '[') {
        streams_ = c == '{' && IsArguments(key_) && !has_arguments_;
        if (streams_) has_arguments_ = true;
        at_ = At::kInNested;
        TakeNested(c);
        return true;
      }
      at_ = At::kInScalar;
      [[fallthrough]];
    case At::kInScalar:
      if (c == ',' || c == '}' || IsSpace(c)) {
        EndValue();
        return Take(c);
      }
      if (c == '<' || c == '"' || c == '{' || c == '[') return false;
      value_ += c;
      return true;
    case At::kInString:
      TakeString(c, value_);
      if (!in_string_) EndValue();
      return true;
    case At::kInNested:
      TakeNested(c);
      if (depth_ == 0) EndValue();
      return true;
    case At::kComma:
      if (IsSpace(c)) return true;
      if (c == '}') {
        EndObject();
        return true;
      }
      at_ = At::kKey;
      return c == ',';
  }
  return false;
}

void JsonCallReader::TakeString(char c, std::string& out) {
  in_string_ = true;
  AppendInString(c, out);
  if (escaped_) {
    escaped_ = false;
  } else if (c == '\\') {
    escaped_ = true;
  } else if (c == '"') {
    in_string_ = false;
  }
}

void JsonCallReader::TakeNested(char c) {
  std::string& out = streams_ ? arguments_ : value_;
  if (in_string_) return TakeString(c, out);
  out += c;
  if (c == '"') in_string_ = true;
  if (c == '{' || c == '[') ++depth_;
  if (c == '}' || c == ']') --depth_;
}

void JsonCallReader::EndValue() {
  at_ = At::kComma;
  if (key_ == "name" && name_.empty()) name_ = Unquote(value_);
  if (!IsArguments(key_)) return;
  if (streams_) {
    streams_ = false;
    arguments_ended_ = true;
  } else if (!has_arguments_) {
    has_arguments_ = arguments_ended_ = true;
    if (value_.starts_with('"')) {
      arguments_ = Unquote(value_);  // an object within a string
    } else {
      arguments_ = value_ == "null" ? "{}" : value_;
    }
    if (arguments_.empty()) arguments_ = "{}";
  }
}

void JsonCallReader::EndObject() {
  state_ = State::kDone;
  if (has_arguments_) return;
  arguments_ = "{}";
  arguments_ended_ = true;
}

}  // namespace flashmoe
