#include "format/safetensors_writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "base/memory.h"
#include "format/output_file.h"

namespace flashmoe {

void SafetensorsWriter::AddTensor(std::string_view name, std::string_view dtype,
                                  const std::vector<int64_t>& shape,
                                  std::span<const std::byte> bytes) {
  const auto quote = [](std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  if (!entries_.empty()) entries_ += ',';
  entries_ +=
      fmt::format(R"({}:{{"dtype":{},"shape":[{}],"data_offsets":[{},{}]}})", quote(name),
                  quote(dtype), fmt::join(shape, ","), data_.size(), data_.size() + bytes.size());
  data_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::string SafetensorsWriter::Header() const {
  std::string json = "{" + entries_ + "}";
  json.resize(AlignUp(json.size(), 8), ' ');
  const uint64_t bytes = json.size();
  return std::string(reinterpret_cast<const char*>(&bytes), sizeof bytes) + json;
}

std::string SafetensorsWriter::ToString() const { return Header() + data_; }

Status SafetensorsWriter::WriteFile(const std::string& path) const {
  FM_ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  const std::string header = Header();
  FM_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(header))));
  FM_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(data_))));
  return file.Finish();
}

}  // namespace flashmoe
