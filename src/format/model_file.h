// A model on disk, whatever its container: a directory of tensors with their places in files, and
// the metadata that came with them. Nothing of the tensors' data is read here.
//
// Opening validates everything that later code relies on: every tensor lies within its file, its
// bytes equal what its type and shape need, dimensions are positive and their product does not
// overflow, names are unique, tensors do not overlap. Files are hostile until proven otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "io/file.h"
#include "tensor/dtype.h"

namespace flashmoe {

struct TensorInfo {
  std::string name;
  DType type = DType::kF32;    // safetensors U32 (MLX packed weights) is kI32
  std::vector<int64_t> shape;  // outermost first: [experts, rows, cols]; cols contiguous
  const File* file = nullptr;
  uint64_t offset = 0;  // of the first byte, in `file`
  uint64_t bytes = 0;

  int64_t elements() const;
};

// A tensor that is in the files and not in the directory, and the reason.
struct SkippedTensor {
  std::string name;
  std::string reason;  // "type F8_E4M3 is not supported"
};

enum class Container { kGguf, kSafetensors };

class ModelFile {
 public:
  // `path`: a .gguf file (any part of a split set; the others are found beside it), a folder that
  // holds one GGUF model or a Hugging Face / MLX model (config.json and *.safetensors, sharded by
  // model.safetensors.index.json or not), or a .safetensors file in such a folder.
  static Result<std::unique_ptr<ModelFile>> Open(const std::string& path);

  Container container() const { return container_; }
  const std::string& path() const { return path_; }  // as given

  // nullptr if there is none of that name.
  const TensorInfo* Find(std::string_view name) const;
  const std::vector<TensorInfo>& tensors() const { return tensors_; }  // in file order
  // Safetensors only: tensors of types that this program cannot use. Whoever misses a tensor looks
  // here for the reason.
  const std::vector<SkippedTensor>& skipped() const { return skipped_; }
  const std::vector<std::shared_ptr<const File>>& files() const { return files_; }
  uint64_t total_bytes() const;  // of all files

  // GGUF: its key-value pairs as one flat JSON object ("general.architecture": "qwen35moe");
  // arrays of up to millions of strings are kept as they are. Safetensors: config.json.
  const nlohmann::json& metadata() const { return metadata_; }

  // Contents of tokenizer.json, tokenizer_config.json, generation_config.json and
  // chat_template.jinja beside a safetensors model; empty if there is none. Without the last, the
  // template is that of chat_template.json or tokenizer_config.json (of several, "default"). GGUF
  // keeps all that in its metadata.
  const std::string& tokenizer_json() const { return tokenizer_json_; }
  const std::string& tokenizer_config_json() const { return tokenizer_config_json_; }
  const std::string& generation_config_json() const { return generation_config_json_; }
  const std::string& chat_template() const { return chat_template_; }

  // Drops the metadata and the texts, which may be as large as a vocabulary; tensors and files
  // stay.
  void ReleaseText();

  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;

 private:
  friend class GgufLoader;
  friend class SafetensorsLoader;
  ModelFile() = default;

  // Takes over tensors that lie in `file`.
  void AddTensors(std::shared_ptr<const File> file, std::vector<TensorInfo> tensors);
  // Once all tensors are there. Fails if two share a name.
  Status IndexTensors();

  Container container_ = Container::kGguf;
  std::string path_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string_view, size_t> by_name_;  // views into tensors_
  std::vector<SkippedTensor> skipped_;
  std::vector<std::shared_ptr<const File>> files_;
  nlohmann::json metadata_;
  std::string tokenizer_json_, tokenizer_config_json_, generation_config_json_, chat_template_;
};

}  // namespace flashmoe
