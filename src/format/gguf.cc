#include "format/gguf.h"

#include <fmt/format.h>

#include <bit>
#include <type_traits>
#include <unordered_set>
#include <utility>

#include "base/memory.h"
#include "format/tensor_layout.h"
#include "format/utf8.h"

namespace flashmoe {
namespace {

using Json = nlohmann::json;

// A hostile header may be as large as its file. These bound what is made of it: values take up to
// 64 bytes each, and the largest vocabularies have less than a million.
constexpr uint64_t kKeysMax = 1 << 14;
constexpr uint64_t kKeyBytesMax = 65535;                   // of the format
constexpr uint64_t kValuesMax = uint64_t{4} << 20;         // in arrays, all together
constexpr uint64_t kStringBytesMax = uint64_t{256} << 20;  // all together

// Smallest encodings, for checking counts against the bytes that are left.
constexpr uint64_t kKeyValueBytesMin = 8 + 4 + 1;
constexpr uint64_t kTensorBytesMin = 8 + 4 + 8 + 4 + 8;

template <typename T>
struct Tag {
  using Type = T;
};

// visit(Tag<T>()) with the T that holds a scalar of `type`; `other` for arrays and unknown types.
template <typename Visit, typename Value>
Value WithScalarType(GgufType type, Visit&& visit, Value other) {
  switch (type) {
    case GgufType::kU8:
      return visit(Tag<uint8_t>());
    case GgufType::kI8:
      return visit(Tag<int8_t>());
    case GgufType::kU16:
      return visit(Tag<uint16_t>());
    case GgufType::kI16:
      return visit(Tag<int16_t>());
    case GgufType::kU32:
      return visit(Tag<uint32_t>());
    case GgufType::kI32:
      return visit(Tag<int32_t>());
    case GgufType::kF32:
      return visit(Tag<float>());
    case GgufType::kBool:
      return visit(Tag<bool>());
    case GgufType::kString:
      return visit(Tag<std::string>());
    case GgufType::kU64:
      return visit(Tag<uint64_t>());
    case GgufType::kI64:
      return visit(Tag<int64_t>());
    case GgufType::kF64:
      return visit(Tag<double>());
    case GgufType::kArray:
      break;
  }
  return other;
}

// Bytes of the smallest scalar of `type`, 0 if it is none.
uint64_t MinBytes(GgufType type) {
  const auto bytes = []<typename T>(Tag<T>) -> uint64_t {
    return std::is_arithmetic_v<T> ? sizeof(T) : sizeof(uint64_t);
  };
  return WithScalarType(type, bytes, uint64_t{0});
}

class Parser {
 public:
  explicit Parser(const ByteSource& source) : source_(source), in_(source) {}

  Result<GgufPart> Parse();

 private:
  Status ReadPreamble();
  Status ReadMetadata();
  Status ReadKeyValue();
  Result<Json> ReadValue(GgufType type);
  Result<Json> ReadArray();
  template <typename T>
  Result<T> ReadScalar();
  template <typename T>
  Result<Json> ReadElements(uint64_t count);
  Result<std::string> ReadString(uint64_t bytes_max);
  Status ReadTensors();
  Status ReadTensor();
  Status PlaceTensors();
  Result<uint32_t> Alignment() const;

  const ByteSource& source_;
  ByteReader in_;
  GgufPart part_;
  uint64_t tensor_count_ = 0;
  uint64_t key_count_ = 0;
  uint64_t values_left_ = kValuesMax;
  uint64_t string_bytes_left_ = kStringBytesMax;
};

Result<GgufPart> Parser::Parse() {
  FM_RETURN_IF_ERROR(ReadPreamble());
  FM_RETURN_IF_ERROR(ReadMetadata());
  FM_RETURN_IF_ERROR(ReadTensors());
  FM_RETURN_IF_ERROR(PlaceTensors());
  return std::move(part_);
}

Status Parser::ReadPreamble() {
  FM_ASSIGN_OR_RETURN(const std::string magic, in_.ReadText(4));
  if (magic != "GGUF") return InvalidInput("this is not a GGUF file", source_.name());
  FM_ASSIGN_OR_RETURN(const auto version, in_.Read<uint32_t>());
  if (version != 0 && (version & 0xFFFF) == 0) {
    return Fail(ErrorCode::kUnsupported, "a big-endian GGUF file", source_.name(),
                "get the usual little-endian file");
  }
  if (version != 2 && version != 3) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("GGUF version {}; versions 2 and 3 are supported", version),
                source_.name(), "get a newer file of the model");
  }
  FM_ASSIGN_OR_RETURN(tensor_count_, in_.Read<uint64_t>());
  FM_ASSIGN_OR_RETURN(key_count_, in_.Read<uint64_t>());
  // Both limits are far above any model, and low enough that the products cannot overflow.
  if (tensor_count_ > kTensorsMax || key_count_ > kKeysMax ||
      tensor_count_ * kTensorBytesMin + key_count_ * kKeyValueBytesMin > in_.remaining()) {
    return InvalidInput(fmt::format("the header promises {} metadata keys and {} tensors, which "
                                    "do not fit the file of {} bytes",
                                    key_count_, tensor_count_, source_.size()),
                        source_.name(), "the file is damaged or incomplete: download it again");
  }
  return {};
}

Status Parser::ReadMetadata() {
  part_.metadata = Json::object();
  for (uint64_t i = 0; i < key_count_; ++i) FM_RETURN_IF_ERROR(ReadKeyValue());
  return {};
}

Status Parser::ReadKeyValue() {
  const std::string where = in_.Where();
  FM_ASSIGN_OR_RETURN(std::string key, ReadString(kKeyBytesMax));
  if (key.empty()) return InvalidInput("a metadata key without a name", where);
  if (!IsUtf8(key)) {
    return InvalidInput(fmt::format("the metadata key {} is not valid UTF-8", Quoted(key)), where);
  }
  FM_ASSIGN_OR_RETURN(const auto type, in_.Read<uint32_t>());
  auto value = ReadValue(static_cast<GgufType>(type));
  if (!value.has_value()) {
    Error error = std::move(value).error();
    error.what = fmt::format("metadata key {}: {}", Quoted(key), error.what);
    return std::unexpected(std::move(error));
  }
  auto& object = part_.metadata.get_ref<Json::object_t&>();
  const auto [place, fresh] = object.try_emplace(std::move(key), std::move(*value));
  if (!fresh) {
    return InvalidInput(fmt::format("the metadata key {} is there twice", Quoted(place->first)),
                        where);
  }
  return {};
}

Result<std::string> Parser::ReadString(uint64_t bytes_max) {
  FM_ASSIGN_OR_RETURN(const auto bytes, in_.Read<uint64_t>());
  if (bytes > bytes_max) {
    return InvalidInput(fmt::format("a string of {} bytes, the most is {}", bytes, bytes_max),
                        in_.Where());
  }
  return in_.ReadText(bytes);
}

template <typename T>
Result<T> Parser::ReadScalar() {
  if constexpr (std::is_same_v<T, bool>) {
    FM_ASSIGN_OR_RETURN(const auto value, in_.Read<uint8_t>());
    return value != 0;
  } else if constexpr (std::is_arithmetic_v<T>) {
    return in_.Read<T>();
  } else {
    FM_ASSIGN_OR_RETURN(std::string text, ReadString(string_bytes_left_));
    string_bytes_left_ -= text.size();
    if (!IsUtf8(text)) text = ReplaceInvalidUtf8(text);
    return text;
  }
}

template <typename T>
Result<Json> Parser::ReadElements(uint64_t count) {
  Json::array_t values;
  values.reserve(static_cast<size_t>(count));
  for (uint64_t i = 0; i < count; ++i) {
    FM_ASSIGN_OR_RETURN(T value, ReadScalar<T>());
    values.emplace_back(std::move(value));
  }
  return Json(std::move(values));
}

Result<Json> Parser::ReadValue(GgufType type) {
  if (type == GgufType::kArray) return ReadArray();
  const auto read = [&]<typename T>(Tag<T>) -> Result<Json> {
    FM_ASSIGN_OR_RETURN(T value, ReadScalar<T>());
    return Json(std::move(value));
  };
  return WithScalarType(
      type, read,
      Result<Json>(InvalidInput(fmt::format("unknown value type {}", std::to_underlying(type)),
                                in_.Where())));
}

Result<Json> Parser::ReadArray() {
  FM_ASSIGN_OR_RETURN(const auto id, in_.Read<uint32_t>());
  FM_ASSIGN_OR_RETURN(const auto count, in_.Read<uint64_t>());
  const auto type = static_cast<GgufType>(id);
  if (type == GgufType::kArray) {
    return Fail(ErrorCode::kUnsupported, "an array of arrays", in_.Where());
  }
  const uint64_t bytes_min = MinBytes(type);
  if (bytes_min == 0) {
    return InvalidInput(fmt::format("an array of unknown value type {}", id), in_.Where());
  }
  if (count > in_.remaining() / bytes_min) {
    return InvalidInput(fmt::format("truncated: an array of {} values goes beyond the end of the "
                                    "file of {} bytes",
                                    count, source_.size()),
                        in_.Where(), "the file is incomplete: download or copy it again");
  }
  if (count > values_left_) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("an array of {} values; {} values of metadata are the most", count, kValuesMax),
        in_.Where());
  }
  values_left_ -= count;
  const auto read = [&]<typename T>(Tag<T>) { return ReadElements<T>(count); };
  return WithScalarType(type, read, Result<Json>(Json()));
}

Status Parser::ReadTensors() {
  part_.tensors.reserve(static_cast<size_t>(tensor_count_));
  for (uint64_t i = 0; i < tensor_count_; ++i) FM_RETURN_IF_ERROR(ReadTensor());

  std::unordered_set<std::string_view> names;
  for (const TensorInfo& tensor : part_.tensors) {
    if (!names.insert(tensor.name).second) {
      return InvalidInput(fmt::format("tensor {} is there twice", Quoted(tensor.name)),
                          source_.name());
    }
  }
  return {};
}

Status Parser::ReadTensor() {
  const std::string where = in_.Where();
  TensorInfo tensor;
  FM_ASSIGN_OR_RETURN(tensor.name, ReadString(kTensorNameBytesMax));
  FM_RETURN_IF_ERROR(CheckTensorName(tensor.name, where));
  FM_ASSIGN_OR_RETURN(const auto dimensions, in_.Read<uint32_t>());
  if (dimensions < 1 || dimensions > kGgufDimensionsMax) {
    return InvalidInput(fmt::format("tensor {} has {} dimensions; 1 to {} are possible",
                                    Quoted(tensor.name), dimensions, kGgufDimensionsMax),
                        where);
  }
  tensor.shape.resize(dimensions);
  for (uint32_t i = dimensions; i-- > 0;) {  // innermost first in the file
    FM_ASSIGN_OR_RETURN(tensor.shape[i], in_.Read<int64_t>());
  }
  FM_ASSIGN_OR_RETURN(const auto type_id, in_.Read<uint32_t>());
  const auto type = DTypeFromGgml(type_id);
  if (!type.has_value()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("tensor {} has the unknown type {}", Quoted(tensor.name), type_id),
                where, "get the model in another quantisation");
  }
  tensor.type = *type;
  FM_ASSIGN_OR_RETURN(tensor.bytes, TensorBytes(tensor.name, *type, tensor.shape, where));
  FM_ASSIGN_OR_RETURN(tensor.offset, in_.Read<uint64_t>());
  part_.tensors.push_back(std::move(tensor));
  return {};
}

Result<uint32_t> Parser::Alignment() const {
  const auto found = part_.metadata.find("general.alignment");
  if (found == part_.metadata.end()) return kGgufAlignmentDefault;
  const uint64_t value = found->is_number_integer() ? found->get<uint64_t>() : 0;
  if (!std::has_single_bit(value) || value > kGgufAlignmentMax) {
    return InvalidInput(
        fmt::format("general.alignment is not a power of two up to {}", kGgufAlignmentMax),
        source_.name(), "the file is damaged: download it again");
  }
  return static_cast<uint32_t>(value);
}

// Turns offsets within the data into offsets within the file.
Status Parser::PlaceTensors() {
  FM_ASSIGN_OR_RETURN(const uint32_t alignment, Alignment());
  const uint64_t data_begin = AlignUp(in_.position(), alignment);
  std::vector<TensorExtent> extents;
  extents.reserve(part_.tensors.size());
  for (TensorInfo& tensor : part_.tensors) {
    if (tensor.offset % alignment != 0) {
      return InvalidInput(fmt::format("tensor {} lies at offset {}, which is not a multiple of the "
                                      "alignment {}",
                                      Quoted(tensor.name), tensor.offset, alignment),
                          source_.name());
    }
    if (__builtin_add_overflow(tensor.offset, data_begin, &tensor.offset)) {
      return InvalidInput(
          fmt::format("tensor {} lies outside the data of the file", Quoted(tensor.name)),
          source_.name());
    }
    extents.push_back({tensor.name, tensor.offset, tensor.bytes});
  }
  return CheckExtents(extents, data_begin, source_.size(), source_.name());
}

}  // namespace

Result<GgufPart> ParseGguf(const ByteSource& source) { return Parser(source).Parse(); }

}  // namespace flashmoe
