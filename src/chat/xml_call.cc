#include "chat/xml_call.h"

#include <array>
#include <utility>

#include "chat/argument_types.h"
#include "text/ordered_json.h"

namespace flashmoe {
namespace {

constexpr std::string_view kParameter = "<parameter=";
constexpr std::string_view kParameterEnd = "</parameter>";
constexpr size_t kKeyBytesMax = 256;

// What may come between parameters, in the order of XmlCallReader's decisions.
constexpr std::array<std::string_view, 3> kBodyMarks = {kParameter, "</function>", "</tool_call>"};

}  // namespace

XmlCallReader::State XmlCallReader::Read(HeldText& held, bool ended, std::string& arguments) {
  const auto step = [&] {
    switch (at_) {
      case At::kBody:
        return ReadBody(held, arguments);
      case At::kName:
        return ReadName(held, arguments);
      case At::kValue:
        return ReadValue(held, arguments);
      case At::kAfterValue:
        return ReadAfterValue(held, ended, arguments);
    }
    return false;
  };
  while (state_ == State::kReading && step()) {
  }
  return state_;
}

bool XmlCallReader::ReadBody(HeldText& held, std::string& arguments) {
  const FoundMark found = FindMark(held.view(), 0, kBodyMarks);
  held.Drop(found.at);  // nothing else belongs here
  if (found.mark < 0) return false;
  held.Drop(kBodyMarks[static_cast<size_t>(found.mark)].size());
  if (found.mark == 0) {
    at_ = At::kName;
    return true;
  }
  arguments += keys_.empty() ? "{}" : "}";
  state_ = found.mark == 1 ? State::kFunctionEnd : State::kBlockEnd;
  return true;
}

bool XmlCallReader::ReadName(HeldText& held, std::string& arguments) {
  const std::string_view text = held.view().substr(0, kKeyBytesMax);
  const size_t end = text.find_first_of(">\n");
  if (end == std::string_view::npos && text.size() < kKeyBytesMax) return false;
  if (end == std::string_view::npos || text[end] != '>' || end == 0) {
    at_ = At::kBody;  // this is no parameter
    return true;
  }
  BeginValue(std::string(text.substr(0, end)), arguments);
  held.Drop(end + 1);
  at_ = At::kValue;
  return true;
}

void XmlCallReader::BeginValue(std::string key, std::string& arguments) {
  const bool first = keys_.empty();
  skip_ = !keys_.insert(key).second;
  types_ = ParameterTypes(parameters_, key);
  streams_ = IsPlainString(types_);
  begun_ = false;
  scanned_ = 0;
  if (skip_) return;
  arguments += (first ? "{\"" : ", \"") + EscapeJson(key) + "\": ";
  if (streams_) arguments += '"';
}

bool XmlCallReader::ReadValue(HeldText& held, std::string& arguments) {
  if (!begun_) {
    if (held.view().empty()) return false;
    if (held.view().front() == '\n') held.Drop(1);
    begun_ = true;
  }
  const FoundMark found = FindMark(held.view(), scanned_, std::array{kParameterEnd});
  scanned_ = found.at;
  if (streams_) {
    // The line break before the end of a value is not part of it.
    const std::string_view text = held.view().substr(0, found.at);
    const size_t safe = text.ends_with('\n') ? text.size() - 1 : text.size();
    if (!skip_) arguments += EscapeJson(text.substr(0, safe));
    held.Drop(safe);
    scanned_ -= safe;
  }
  if (found.mark < 0) return false;
  at_ = At::kAfterValue;
  return true;
}

// A value may hold the text </parameter>: its end is the one that another mark follows.
bool XmlCallReader::ReadAfterValue(HeldText& held, bool ended, std::string& arguments) {
  const std::string_view text = held.view();
  const size_t next = SkipSpace(text, scanned_ + kParameterEnd.size());
  bool is_end = false, maybe = false;
  for (const std::string_view mark : kBodyMarks) {
    const MarkMatch match = MatchMark(text.substr(next), mark);
    is_end |= match == MarkMatch::kYes;
    maybe |= match == MarkMatch::kPartly;
  }
  if (!is_end && maybe && !ended) return false;
  if (!is_end && next < text.size()) {
    scanned_ += kParameterEnd.size();
    at_ = At::kValue;
    return true;
  }
  EndValue(text.substr(0, scanned_), arguments);
  held.Drop(next);
  at_ = At::kBody;
  return true;
}

void XmlCallReader::EndValue(std::string_view value, std::string& arguments) {
  if (skip_) return;
  if (value.ends_with('\n')) value.remove_suffix(1);
  if (streams_) {
    arguments += EscapeJson(value) + '"';
  } else {
    arguments += ArgumentJson(types_, value);
  }
}

}  // namespace flashmoe
