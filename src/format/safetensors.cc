#include "format/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "format/json_text.h"
#include "format/tensor_layout.h"
#include "format/utf8.h"

namespace flashmoe {
namespace {

constexpr size_t kDimensionsMax = 8;

std::optional<DType> DTypeOf(std::string_view name) {
  struct Entry {
    std::string_view name;
    DType type;
  };
  static constexpr Entry kTypes[] = {
      {"BF16", DType::kBF16}, {"F16", DType::kF16}, {"F32", DType::kF32}, {"F64", DType::kF64},
      {"I8", DType::kI8},     {"U8", DType::kI8},   {"BOOL", DType::kI8}, {"I16", DType::kI16},
      {"U16", DType::kI16},   {"I32", DType::kI32}, {"U32", DType::kI32}, {"I64", DType::kI64},
      {"U64", DType::kI64},
  };
  for (const Entry& entry : kTypes) {
    if (entry.name == name) return entry.type;
  }
  return std::nullopt;
}

// A tensor as the header describes it, unchecked.
struct Entry {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  // within the data, then within the file
  int offsets = 0;              // how many of the two were there
  bool has_dtype = false, has_shape = false, has_data_offsets = false;
};

// {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {...}}
// Anything else is refused where it occurs, so that a hostile header builds nothing in memory.
class HeaderReader : public JsonEvents {
 public:
  std::vector<Entry> Take() { return std::move(entries_); }

  bool start_object(size_t) override {
    switch (state_) {
      case State::kStart:
        return Go(State::kTop);
      case State::kTensorStart:
        return Go(State::kTensor);
      case State::kMetadataStart:
        return Go(State::kMetadata);
      default:
        return Refuse("an object is not expected here");
    }
  }

  bool end_object() override {
    if (state_ == State::kTop) return Go(State::kEnd);
    if (state_ == State::kMetadata) return Go(State::kTop);
    const Entry& entry = entries_.back();
    if (!entry.has_dtype || !entry.has_shape || !entry.has_data_offsets) {
      return Refuse(
          fmt::format("tensor {} lacks dtype, shape or data_offsets", Quoted(entry.name)));
    }
    return Go(State::kTop);
  }

  bool key(std::string& name) override {
    if (state_ == State::kMetadata) return true;
    if (state_ == State::kTop) return TopKey(name);
    Entry& entry = entries_.back();
    const auto once = [&](bool& seen, State next) {
      if (std::exchange(seen, true)) return Refuse(fmt::format("{} is there twice", Quoted(name)));
      return Go(next);
    };
    if (name == "dtype") return once(entry.has_dtype, State::kDType);
    if (name == "shape") return once(entry.has_shape, State::kShapeStart);
    if (name == "data_offsets") return once(entry.has_data_offsets, State::kOffsetsStart);
    return Refuse(
        fmt::format("tensor {} has the unknown field {}", Quoted(entry.name), Quoted(name)));
  }

  bool string(std::string& value) override {
    if (state_ == State::kMetadata) return true;
    if (state_ != State::kDType) return Refuse("a string is not expected here");
    entries_.back().dtype = std::move(value);
    return Go(State::kTensor);
  }

  bool start_array(size_t) override {
    if (state_ == State::kShapeStart) return Go(State::kShape);
    if (state_ == State::kOffsetsStart) return Go(State::kOffsets);
    return Refuse("an array is not expected here");
  }

  bool end_array() override {
    const Entry& entry = entries_.back();
    if (state_ == State::kOffsets && entry.offsets != 2) {
      return Refuse(
          fmt::format("data_offsets of tensor {} are not two numbers", Quoted(entry.name)));
    }
    return Go(State::kTensor);
  }

  bool number_unsigned(uint64_t value) override {
    if (state_ == State::kShape) {
      auto& shape = entries_.back().shape;
      if (value > INT64_MAX || shape.size() == kDimensionsMax) {
        return Refuse(fmt::format("tensor {} has an absurd shape", Quoted(entries_.back().name)));
      }
      shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (state_ == State::kOffsets && entries_.back().offsets < 2) {
      Entry& entry = entries_.back();
      (entry.offsets++ == 0 ? entry.begin : entry.end) = value;
      return true;
    }
    return Refuse("a number is not expected here");
  }

 private:
  enum class State {
    kStart,
    kTop,
    kMetadataStart,
    kMetadata,
    kTensorStart,
    kTensor,
    kDType,
    kShapeStart,
    kShape,
    kOffsetsStart,
    kOffsets,
    kEnd,
  };

  bool Go(State next) {
    state_ = next;
    return true;
  }

  bool TopKey(std::string& name) {
    if (name == "__metadata__") return Go(State::kMetadataStart);
    if (entries_.size() == kTensorsMax) {
      return Refuse(fmt::format("more than {} tensors", kTensorsMax));
    }
    entries_.emplace_back().name = std::move(name);
    return Go(State::kTensorStart);
  }

  State state_ = State::kStart;
  std::vector<Entry> entries_;
};

class Parser {
 public:
  explicit Parser(const ByteSource& source) : source_(source), in_(source) {}

  Result<SafetensorsPart> Parse() {
    FM_ASSIGN_OR_RETURN(const std::string header, ReadHeader());
    data_begin_ = in_.position();
    HeaderReader reader;
    FM_RETURN_IF_ERROR(reader.Run(header, fmt::format("{}, header", source_.name())));
    auto entries = reader.Take();
    FM_RETURN_IF_ERROR(CheckNames(entries));
    FM_RETURN_IF_ERROR(Place(entries));
    for (Entry& entry : entries) FM_RETURN_IF_ERROR(AddTensor(entry));
    std::ranges::sort(part_.tensors, {}, &TensorInfo::offset);
    return std::move(part_);
  }

 private:
  Result<std::string> ReadHeader() {
    FM_ASSIGN_OR_RETURN(const auto bytes, in_.Read<uint64_t>());
    if (bytes > kSafetensorsHeaderBytesMax) {
      return InvalidInput(
          fmt::format("a header of {} bytes, the most is {}", bytes, kSafetensorsHeaderBytesMax),
          source_.name(), "this is no safetensors file, or it is damaged");
    }
    return in_.ReadText(bytes);
  }

  Status CheckNames(const std::vector<Entry>& entries) const {
    std::unordered_set<std::string_view> names;
    for (const Entry& entry : entries) {
      FM_RETURN_IF_ERROR(CheckTensorName(entry.name, source_.name()));
      if (!names.insert(entry.name).second) {
        return InvalidInput(fmt::format("tensor {} is there twice", Quoted(entry.name)),
                            source_.name());
      }
    }
    return {};
  }

  // Turns offsets within the data into offsets within the file. Empty tensors lie nowhere.
  Status Place(std::vector<Entry>& entries) const {
    std::vector<TensorExtent> extents;
    for (Entry& entry : entries) {
      if (entry.begin > entry.end || entry.end > UINT64_MAX - data_begin_) {
        return InvalidInput(fmt::format("tensor {} has the data_offsets [{}, {}]",
                                        Quoted(entry.name), entry.begin, entry.end),
                            source_.name(), "the file is damaged: download it again");
      }
      entry.begin += data_begin_;
      entry.end += data_begin_;
      const uint64_t bytes = entry.end - entry.begin;
      if (bytes > 0) extents.push_back({entry.name, entry.begin, bytes});
    }
    return CheckExtents(extents, data_begin_, source_.size(), source_.name());
  }

  Status AddTensor(Entry& entry) {
    const auto type = DTypeOf(entry.dtype);
    const uint64_t bytes = entry.end - entry.begin;
    if (!type.has_value()) {
      part_.skipped.push_back(
          {std::move(entry.name), fmt::format("type {} is not supported", Quoted(entry.dtype))});
      return {};
    }
    const bool empty = std::ranges::find(entry.shape, 0) != entry.shape.end();
    if (empty && bytes == 0) {
      part_.skipped.push_back({std::move(entry.name), "it has no elements"});
      return {};
    }
    if (entry.shape.empty()) entry.shape.push_back(1);
    FM_ASSIGN_OR_RETURN(const uint64_t needed,
                        TensorBytes(entry.name, *type, entry.shape, source_.name()));
    if (needed != bytes) {
      return InvalidInput(fmt::format("tensor {} has {} bytes, but its type and shape need {}",
                                      Quoted(entry.name), bytes, needed),
                          source_.name(), "the file is damaged: download it again");
    }
    part_.tensors.push_back({.name = std::move(entry.name),
                             .type = *type,
                             .shape = std::move(entry.shape),
                             .offset = entry.begin,
                             .bytes = bytes});
    return {};
  }

  const ByteSource& source_;
  ByteReader in_;
  uint64_t data_begin_ = 0;
  SafetensorsPart part_;
};

}  // namespace

Result<SafetensorsPart> ParseSafetensors(const ByteSource& source) {
  return Parser(source).Parse();
}

}  // namespace flashmoe
