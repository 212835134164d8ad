// tokenizer.json. The vocabulary and the merges, nearly all of the file, go straight into the spec;
// the rest becomes a small JSON value that is then examined.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/nul.h"
#include "text/byte_alphabet.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

using nlohmann::json;

constexpr char kWhere[] = "tokenizer.json";

std::unexpected<Error> Unsupported(std::string what) {
  return Fail(ErrorCode::kUnsupported, std::move(what), kWhere,
              "only byte-level BPE as Qwen models have it is supported");
}

// Receives the parser's events. Throws nothing of its own; a false return ends the parse with
// `error` set.
class Reader {
 public:
  explicit Reader(TokenizerSpec& spec) : spec_(spec) {}

  json take_rest() { return std::move(rest_); }
  const std::string& error() const { return error_; }

  bool null() { return Value(nullptr); }
  bool boolean(bool value) { return Value(value); }
  bool number_integer(json::number_integer_t value) { return Value(value); }
  bool number_unsigned(json::number_unsigned_t value) {
    return in_vocab() ? VocabId(value) : Value(value);
  }
  bool number_float(json::number_float_t value, const std::string&) { return Value(value); }
  bool string(std::string& value) {
    if (in_merges()) return MergePart(value);
    return Value(std::move(value));
  }
  bool binary(json::binary_t&) { return false; }  // not in text

  bool start_object(size_t) {
    if (at_model_member("vocab")) return EnterVocab();
    return Open(json::object());
  }
  bool key(std::string& value) {
    key_ = std::move(value);
    return true;
  }
  bool end_object() { return Close(); }
  bool start_array(size_t) {
    if (at_model_member("merges")) return EnterMerges();
    if (place_ == Place::kMerges) {
      place_ = Place::kPair;
      parts_ = 0;
      return true;
    }
    return Open(json::array());
  }
  bool end_array() {
    if (place_ != Place::kPair) return Close();
    place_ = Place::kMerges;
    return parts_ == 2 || BadMerge();
  }
  bool parse_error(size_t at, const std::string&, const json::exception&) {
    error_ = fmt::format("not valid JSON at byte {}", at);
    return false;
  }

 private:
  enum class Place { kRest, kVocab, kMerges, kPair };
  static constexpr size_t kDepthMax = 32;
  static constexpr size_t kValuesMax = 1'000'000;
  static constexpr size_t kMergesMax = size_t{1} << 23;

  bool in_vocab() const { return place_ == Place::kVocab; }
  bool in_merges() const { return place_ == Place::kMerges || place_ == Place::kPair; }
  bool at_model_member(std::string_view name) const {
    return place_ == Place::kRest && open_.size() == 2 && model_open_ && key_ == name;
  }

  bool Refuse(std::string why) {
    error_ = std::move(why);
    return false;
  }
  bool BadMerge() {
    return Refuse(fmt::format("merge {} is not a pair of tokens", spec_.merges.size() - 1));
  }

  bool EnterVocab() {
    if (std::exchange(seen_vocab_, true)) return Refuse("model.vocab stands there twice");
    place_ = Place::kVocab;
    return true;
  }
  bool EnterMerges() {
    if (std::exchange(seen_merges_, true)) return Refuse("model.merges stands there twice");
    place_ = Place::kMerges;
    return true;
  }

  bool VocabId(uint64_t id) {
    if (id > static_cast<uint64_t>(Tokenizer::kIdMax)) {
      return Refuse(fmt::format("token id {} is above {}", id, Tokenizer::kIdMax));
    }
    if (key_.empty()) return Refuse(fmt::format("token {} is empty", id));
    if (id >= spec_.tokens.size()) spec_.tokens.resize(id + 1);
    std::string& token = spec_.tokens[id];
    if (!token.empty()) {
      return Refuse(
          fmt::format("token id {} is given to {} and {}", id, QuoteText(token), QuoteText(key_)));
    }
    token = std::move(key_);
    return true;
  }

  bool MergePart(std::string& value) {
    if (place_ == Place::kMerges) return MergeLine(value);
    if (parts_ == 0) {
      if (spec_.merges.size() == kMergesMax) return Refuse("too many merges");
      spec_.merges.emplace_back().first = std::move(value);
    } else if (parts_ == 1) {
      spec_.merges.back().second = std::move(value);
    }
    return ++parts_ <= 2 || BadMerge();
  }

  // "left right", the older form.
  bool MergeLine(const std::string& line) {
    if (line.starts_with("#version")) return true;
    if (spec_.merges.size() == kMergesMax) return Refuse("too many merges");
    const size_t space = line.find(' ');
    spec_.merges.emplace_back(line.substr(0, space), space == line.npos ? "" : &line[space + 1]);
    const bool one_space = space != line.npos && line.find(' ', space + 1) == line.npos;
    return one_space || BadMerge();
  }

  bool Value(json value) {
    if (in_vocab())
      return Refuse(fmt::format("the id of token {} is not a valid number", QuoteText(key_)));
    if (in_merges()) return Refuse("model.merges holds something other than strings");
    return Put(std::move(value)) != nullptr;
  }

  json* Put(json value) {
    if (++values_ > kValuesMax) {
      error_ = "too many values outside model.vocab and model.merges";
      return nullptr;
    }
    if (open_.empty()) {
      rest_ = std::move(value);
      return &rest_;
    }
    json& parent = *open_.back();
    if (parent.is_array()) return &parent.emplace_back(std::move(value));
    return &(parent[key_] = std::move(value));
  }

  bool Open(json value) {
    if (place_ != Place::kRest) return Refuse("model.vocab or model.merges is nested");
    if (open_.size() == kDepthMax) return Refuse("nested too deeply");
    if (open_.size() == 1) model_open_ = rest_.is_object() && key_ == "model";
    json* const place = Put(std::move(value));
    if (place == nullptr) return false;
    open_.push_back(place);
    return true;
  }

  bool Close() {
    if (place_ == Place::kRest) {
      open_.pop_back();
    } else {
      place_ = Place::kRest;
    }
    return true;
  }

  TokenizerSpec& spec_;
  json rest_;
  // The values around the place. Adding to the innermost moves none of the outer ones.
  std::vector<json*> open_;
  std::string key_;
  std::string error_;
  Place place_ = Place::kRest;
  bool model_open_ = false, seen_vocab_ = false, seen_merges_ = false;
  int parts_ = 0;
  size_t values_ = 0;
};

// Members are looked up so that an absent one is null.
const json& Member(const json& object, const char* name) {
  static const json null;
  if (!object.is_object()) return null;
  const auto it = object.find(name);
  return it == object.end() ? null : *it;
}
std::string Text(const json& value) {
  return value.is_string() ? value.get_ref<const std::string&>() : std::string();
}
bool IsTrue(const json& value) { return value.is_boolean() && value.get<bool>(); }
bool IsType(const json& value, std::string_view type) {
  return Text(Member(value, "type")) == type;
}

Status CheckModel(const json& model, const TokenizerSpec& spec) {
  if (!model.is_object()) return InvalidInput("there is no model", kWhere);
  const json& type = Member(model, "type");
  if (!type.is_null() && Text(type) != "BPE") {
    return Unsupported(fmt::format("model type {}", QuoteText(Text(type))));
  }
  if (spec.tokens.empty()) return InvalidInput("model.vocab is missing or empty", kWhere);
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!Text(Member(model, affix)).empty()) return Unsupported(fmt::format("model.{}", affix));
  }
  if (IsTrue(Member(model, "byte_fallback"))) return Unsupported("model.byte_fallback");
  const json& dropout = Member(model, "dropout");
  if (!dropout.is_null() && !(dropout.is_number() && dropout.get<double>() == 0)) {
    return Unsupported("model.dropout");
  }
  return {};
}

Result<bool> ReadNormalizer(const json& normalizer) {
  if (normalizer.is_null()) return false;
  if (IsType(normalizer, "NFC")) return true;
  if (IsType(normalizer, "Sequence")) {
    const json& steps = Member(normalizer, "normalizers");
    if (steps.is_array() && steps.empty()) return false;
    if (steps.is_array() && steps.size() == 1 && IsType(steps[0], "NFC")) return true;
  }
  return Unsupported(fmt::format("normalizer {}", QuoteText(Text(Member(normalizer, "type")))));
}

Result<PreTokenizer> ReadSplit(const json& split) {
  const std::string pattern = Text(Member(Member(split, "pattern"), "Regex"));
  const std::optional<PreTokenizer> pre = RecognisePattern(pattern);
  constexpr size_t kPatternShownMax = 400;
  if (!pre.has_value())
    return Unsupported(
        fmt::format("pre-tokenizer pattern {}", QuoteText(pattern, kPatternShownMax)));
  if (Text(Member(split, "behavior")) != "Isolated" || IsTrue(Member(split, "invert"))) {
    return Unsupported("pre-tokenizer Split with another behaviour than Isolated");
  }
  return *pre;
}

// Split by a known pattern, then bytes.
Result<PreTokenizer> ReadPreTokenizer(const json& pre_tokenizer) {
  const json& steps = Member(pre_tokenizer, "pretokenizers");
  if (!IsType(pre_tokenizer, "Sequence") || !steps.is_array() || steps.size() != 2 ||
      !IsType(steps[0], "Split") || !IsType(steps[1], "ByteLevel")) {
    const std::string type = Text(Member(pre_tokenizer, "type"));
    return Unsupported(
        fmt::format("pre-tokenizer {} that is not Split and ByteLevel", QuoteText(type)));
  }
  // These two are true where they are absent.
  for (const char* option : {"add_prefix_space", "use_regex"}) {
    const json& value = Member(steps[1], option);
    if (value.is_null() || IsTrue(value)) {
      return Unsupported(fmt::format("pre-tokenizer ByteLevel with {}", option));
    }
  }
  return ReadSplit(steps[0]);
}

Status ReadAdded(const json& list, std::vector<TokenizerSpec::Added>& added) {
  if (list.is_null()) return {};
  if (!list.is_array()) return InvalidInput("added_tokens is not an array", kWhere);
  for (const json& entry : list) {
    const json& id = Member(entry, "id");
    const json& content = Member(entry, "content");
    if (!id.is_number_unsigned() || id.get<uint64_t>() > uint64_t{Tokenizer::kIdMax} ||
        !content.is_string()) {
      return InvalidInput(fmt::format("added_tokens[{}] lacks a valid id or content", added.size()),
                          kWhere);
    }
    added.push_back({.id = id.get<int32_t>(),
                     .text = Text(content),
                     .special = IsTrue(Member(entry, "special")),
                     .normalized = IsTrue(Member(entry, "normalized")),
                     .lstrip = IsTrue(Member(entry, "lstrip")),
                     .rstrip = IsTrue(Member(entry, "rstrip")),
                     .single_word = IsTrue(Member(entry, "single_word"))});
  }
  return {};
}

Result<TokenizerSpec> Parse(std::string_view text) {
  FM_RETURN_IF_ERROR(RefuseNul(text, kWhere));
  TokenizerSpec spec;
  Reader reader(spec);
  if (!json::sax_parse(text, &reader)) {
    return InvalidInput(reader.error().empty() ? "not valid JSON" : reader.error(), kWhere);
  }
  const json root = reader.take_rest();
  const json& model = Member(root, "model");
  FM_RETURN_IF_ERROR(CheckModel(model, spec));
  spec.ignore_merges = IsTrue(Member(model, "ignore_merges"));
  FM_ASSIGN_OR_RETURN(spec.nfc, ReadNormalizer(Member(root, "normalizer")));
  FM_ASSIGN_OR_RETURN(spec.pre, ReadPreTokenizer(Member(root, "pre_tokenizer")));
  const json& decoder = Member(root, "decoder");
  if (!decoder.is_null() && !IsType(decoder, "ByteLevel")) {
    return Unsupported(fmt::format("decoder {}", QuoteText(Text(Member(decoder, "type")))));
  }
  FM_RETURN_IF_ERROR(ReadAdded(Member(root, "added_tokens"), spec.added));
  return spec;
}

}  // namespace

Result<TokenizerSpec> ParseTokenizerJson(std::string_view text) {
  // The parser copies; a vocabulary of kIdMax tokens is far smaller.
  constexpr size_t kBytesMax = size_t{256} << 20;
  if (text.size() > kBytesMax) {
    return InvalidInput(fmt::format("{} bytes; at most {} are supported", text.size(), kBytesMax),
                        kWhere);
  }
  try {
    return Parse(text);
  } catch (const std::exception& e) {
    return InvalidInput(fmt::format("cannot be read: {}", e.what()), kWhere);
  }
}

}  // namespace flashmoe
