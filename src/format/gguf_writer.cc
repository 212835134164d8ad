#include "format/gguf_writer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/memory.h"
#include "format/output_file.h"
#include "format/tensor_layout.h"

namespace flashmoe {
namespace {

constexpr uint64_t kPieceBytes = uint64_t{4} << 20;  // rows are gathered up to this

template <typename T>
void Put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PutString(std::string& out, std::string_view text) {
  Put<uint64_t>(out, text.size());
  out += text;
}

Status WriteZeros(const GgufWriter::Sink& sink, uint64_t count) {
  const std::vector<std::byte> zeros(static_cast<size_t>(count));
  return sink(zeros);
}

}  // namespace

void GgufWriter::AppendBytes(const void* data, size_t bytes) {
  pairs_.append(static_cast<const char*>(data), bytes);
}

void GgufWriter::AppendString(std::string_view text) { PutString(pairs_, text); }

void GgufWriter::BeginValue(std::string_view key, GgufType type) {
  PutString(pairs_, key);
  Put(pairs_, type);
  ++pair_count_;
}

void GgufWriter::BeginArray(std::string_view key, GgufType type, uint64_t count) {
  BeginValue(key, GgufType::kArray);
  Put(pairs_, type);
  Put(pairs_, count);
}

void GgufWriter::SetAlignment(uint32_t alignment) {
  FM_CHECK(std::has_single_bit(alignment) && alignment >= 8 && alignment <= kGgufAlignmentMax);
  alignment_ = alignment;
  Add("general.alignment", alignment);
}

void GgufWriter::AddTensor(std::string name, DType type, std::vector<int64_t> shape,
                           Provider provider) {
  FM_CHECK(shape.size() <= kGgufDimensionsMax && GetInfo(type).ggml_id >= 0);
  const auto bytes = TensorBytes(name, type, shape, "");
  FM_CHECK(bytes.has_value());
  const auto row_bytes = static_cast<uint64_t>(RowBytes(type, shape.back()));
  tensors_.push_back(
      {std::move(name), type, std::move(shape), *bytes, row_bytes, std::move(provider)});
}

void GgufWriter::AddTensor(std::string name, DType type, std::vector<int64_t> shape,
                           std::span<const std::byte> bytes) {
  std::vector<std::byte> copy(bytes.begin(), bytes.end());
  AddTensor(std::move(name), type, std::move(shape),
            [copy = std::move(copy)](uint64_t offset, std::span<std::byte> out) -> Status {
              std::memcpy(out.data(), copy.data() + offset, out.size());
              return {};
            });
  FM_CHECK(tensors_.back().bytes == bytes.size());
}

std::string GgufWriter::Header() const {
  std::string out = "GGUF";
  Put<uint32_t>(out, 3);
  Put<uint64_t>(out, tensors_.size());
  Put<uint64_t>(out, pair_count_);
  out += pairs_;
  uint64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    PutString(out, tensor.name);
    Put(out, static_cast<uint32_t>(tensor.shape.size()));
    for (size_t i = tensor.shape.size(); i-- > 0;) Put(out, tensor.shape[i]);
    Put(out, static_cast<uint32_t>(GetInfo(tensor.type).ggml_id));
    Put(out, offset);
    offset = AlignUp(offset + tensor.bytes, alignment_);
  }
  out.resize(AlignUp(out.size(), alignment_));
  return out;
}

Status GgufWriter::Write(const Sink& sink) const {
  const std::string header = Header();
  FM_RETURN_IF_ERROR(sink(std::as_bytes(std::span(header))));
  std::vector<std::byte> piece;
  for (const Tensor& tensor : tensors_) {
    const uint64_t rows_a_piece = std::max<uint64_t>(1, kPieceBytes / tensor.row_bytes);
    for (uint64_t offset = 0; offset < tensor.bytes; offset += piece.size()) {
      const uint64_t left = tensor.bytes - offset;
      piece.resize(static_cast<size_t>(std::min(left, rows_a_piece * tensor.row_bytes)));
      FM_RETURN_IF_ERROR(tensor.provider(offset, piece));
      FM_RETURN_IF_ERROR(sink(piece));
    }
    FM_RETURN_IF_ERROR(WriteZeros(sink, AlignUp(tensor.bytes, alignment_) - tensor.bytes));
  }
  return {};
}

uint64_t GgufWriter::TotalBytes() const {
  uint64_t bytes = Header().size();
  for (const Tensor& tensor : tensors_) bytes += AlignUp(tensor.bytes, alignment_);
  return bytes;
}

Status GgufWriter::WriteFile(const std::string& path, const ProgressFn& progress) const {
  FM_ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  const uint64_t total = TotalBytes();
  FM_RETURN_IF_ERROR(file.Reserve(total));
  uint64_t done = 0;
  const auto append = [&](std::span<const std::byte> bytes) -> Status {
    FM_RETURN_IF_ERROR(file.Append(bytes));
    done += bytes.size();
    if (progress) progress({"writing", done, total});
    return {};
  };
  FM_RETURN_IF_ERROR(Write(append));
  return file.Finish();
}

Result<std::string> GgufWriter::ToString() const {
  std::string out;
  FM_RETURN_IF_ERROR(Write([&](std::span<const std::byte> bytes) -> Status {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }));
  return out;
}

}  // namespace flashmoe
