#include "format/model_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "format/folder.h"
#include "format/gguf_loader.h"
#include "format/identify.h"
#include "format/safetensors_loader.h"
#include "format/shard_name.h"
#include "format/utf8.h"

namespace flashmoe {
namespace {

namespace fs = std::filesystem;
using ModelResult = Result<std::unique_ptr<ModelFile>>;

// One name for each GGUF model in the folder: that of its first part, if it is a set. Projectors
// for images ("mmproj-...") come beside models and are none.
Result<std::vector<std::string>> GgufModels(const std::string& folder) {
  FM_ASSIGN_OR_RETURN(const auto files, ListFiles(folder, ".gguf"));
  std::vector<std::string> models;
  std::set<std::pair<std::string, int>> sets;
  for (const std::string& name : files) {
    if (name.starts_with("mmproj")) continue;
    const auto shard = ParseShardName(name, ".gguf");
    if (shard.has_value() && !sets.insert({shard->prefix, shard->count}).second) continue;
    models.push_back(name);
  }
  return models;
}

ModelResult OpenFolder(const std::string& path) {
  FM_ASSIGN_OR_RETURN(const auto gguf, GgufModels(path));
  FM_ASSIGN_OR_RETURN(const auto safetensors, ListFiles(path, ".safetensors"));
  std::error_code ignored;
  const bool has_config = fs::exists(JoinPath(path, "config.json"), ignored);
  const bool hugging_face = !safetensors.empty() || (has_config && gguf.empty());

  if (gguf.size() + (hugging_face ? 1 : 0) > 1) {
    std::vector<std::string> choices;
    for (const std::string& name : gguf) choices.push_back(Quoted(name));
    if (hugging_face) choices.push_back(Quoted(safetensors.front()));
    constexpr size_t kListed = 8;
    const bool all = choices.size() <= kListed;
    if (!all) choices.resize(kListed);
    return InvalidInput(fmt::format("the folder holds several models: {}{}",
                                    fmt::join(choices, ", "), all ? "" : " and more"),
                        path, "give the path of one of these files");
  }
  if (hugging_face) return SafetensorsLoader::Load(path, path, "");
  if (gguf.empty()) {
    return Fail(ErrorCode::kNotFound, "the folder holds no model", path,
                "give a .gguf file, or a folder with config.json and .safetensors files");
  }
  FM_ASSIGN_OR_RETURN(auto file, File::Open(JoinPath(path, gguf.front())));
  return GgufLoader::Load(path, std::move(file));
}

ModelResult OpenFile(const std::string& path) {
  FM_ASSIGN_OR_RETURN(auto file, File::Open(path));
  FM_ASSIGN_OR_RETURN(const Container container, Identify(FileSource(file)));
  if (container == Container::kGguf) return GgufLoader::Load(path, std::move(file));
  const fs::path where(path);
  return SafetensorsLoader::Load(path, where.parent_path().string(), where.filename().string());
}

}  // namespace

int64_t TensorInfo::elements() const {
  int64_t product = 1;
  for (const int64_t dimension : shape) product *= dimension;
  return product;
}

Result<std::unique_ptr<ModelFile>> ModelFile::Open(const std::string& path) {
  if (path.empty()) return InvalidInput("the path of the model is empty");
  if (path.find('\0') != path.npos) return InvalidInput("a path with a zero byte in it", path);
  std::error_code ignored;  // File::Open says what is wrong
  return fs::is_directory(path, ignored) ? OpenFolder(path) : OpenFile(path);
}

const TensorInfo* ModelFile::Find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

uint64_t ModelFile::total_bytes() const {
  uint64_t total = 0;
  for (const auto& file : files_) total += file->size();
  return total;
}

void ModelFile::AddTensors(std::shared_ptr<const File> file, std::vector<TensorInfo> tensors) {
  for (TensorInfo& tensor : tensors) tensor.file = file.get();
  std::ranges::move(tensors, std::back_inserter(tensors_));
  files_.push_back(std::move(file));
}

Status ModelFile::IndexTensors() {
  by_name_.reserve(tensors_.size());
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const auto [place, fresh] = by_name_.try_emplace(tensors_[i].name, i);
    if (fresh) continue;
    return InvalidInput(
        fmt::format("tensor {} is in {} and in {}", Quoted(tensors_[i].name),
                    Quoted(tensors_[place->second].file->path()), Quoted(tensors_[i].file->path())),
        path_, "give the one file that is the model");
  }
  return {};
}

void ModelFile::ReleaseText() {
  metadata_ = nullptr;
  for (std::string* text : {&tokenizer_json_, &tokenizer_config_json_, &generation_config_json_,
                            &chat_template_}) {
    std::string().swap(*text);
  }
}

}  // namespace flashmoe
