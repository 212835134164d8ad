#include "format/safetensors_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "format/folder.h"
#include "format/identify.h"
#include "format/json_text.h"
#include "format/safetensors.h"
#include "format/shard_name.h"
#include "format/utf8.h"

namespace flashmoe {
namespace {

using Json = nlohmann::json;

constexpr const char* kIndexName = "model.safetensors.index.json";
constexpr const char* kSuffix = ".safetensors";
constexpr uint64_t kIndexBytesMax = uint64_t{256} << 20;
constexpr size_t kShardsMax = 100'000;

// Keeps the file names of "weight_map" and skips everything else: an index has a line for each
// tensor, up to hundreds of thousands.
class IndexReader : public JsonEvents {
 public:
  std::set<std::string> Take() { return std::move(files_); }
  bool found_map() const { return found_map_; }

  bool null() override { return Scalar(); }
  bool boolean(bool) override { return Scalar(); }
  bool number_integer(int64_t) override { return Scalar(); }
  bool number_unsigned(uint64_t) override { return Scalar(); }
  bool number_float(double, const std::string&) override { return Scalar(); }
  bool string(std::string& value) override {
    if (!in_map_) return Scalar();
    if (!IsPlainFileName(value)) {
      return Refuse(fmt::format("the index names the file {}, which is not in its own folder",
                                Quoted(value)));
    }
    files_.insert(std::move(value));
    if (files_.size() > kShardsMax) return Refuse(fmt::format("more than {} files", kShardsMax));
    return true;
  }
  bool key(std::string& name) override {
    if (depth_ == 1) at_map_ = name == "weight_map";
    return true;
  }
  bool start_object(size_t) override {
    if (in_map_) return Scalar();
    if (depth_ == 1 && at_map_) found_map_ = in_map_ = true;
    return Enter();
  }
  bool end_object() override {
    in_map_ = false;
    --depth_;
    return true;
  }
  bool start_array(size_t) override { return in_map_ ? Scalar() : Enter(); }
  bool end_array() override {
    --depth_;
    return true;
  }

 private:
  bool Scalar() {
    if (depth_ == 0) return Refuse("this is not a JSON object");
    if (in_map_) return Refuse("a value of weight_map is not the name of a file");
    return true;
  }
  bool Enter() {
    if (++depth_ > kJsonDepthMax) {
      return Refuse(fmt::format("nested more than {} deep", kJsonDepthMax));
    }
    return true;
  }

  int depth_ = 0;
  bool at_map_ = false;  // the last key at depth 1 was weight_map
  bool in_map_ = false;
  bool found_map_ = false;
  std::set<std::string> files_;
};

// All parts of the set to which `name` belongs; `name` alone if it is not called like a part.
std::vector<std::string> WholeSet(const std::string& name) {
  auto part = ParseShardName(name, kSuffix);
  if (!part.has_value()) return {name};
  std::vector<std::string> names;
  for (part->number = 1; part->number <= part->count; ++part->number) {
    names.push_back(MakeShardName(*part));
  }
  return names;
}

// The files of the model, sorted, and what says that they belong to it.
struct Shards {
  std::vector<std::string> names;
  std::string named_by;
};

Result<Shards> ChooseShards(const std::string& folder, const std::string& file_name) {
  const std::string index_path = JoinPath(folder, kIndexName);
  FM_ASSIGN_OR_RETURN(const std::string index, ReadTextFileIfAny(index_path, kIndexBytesMax));
  if (!index.empty()) {
    FM_ASSIGN_OR_RETURN(const auto named, ParseSafetensorsIndex(index, index_path));
    if (file_name.empty() || named.contains(file_name)) {
      return Shards{{named.begin(), named.end()}, index_path};
    }
  }
  if (!file_name.empty()) return Shards{WholeSet(file_name), JoinPath(folder, file_name)};

  FM_ASSIGN_OR_RETURN(const auto found, ListFiles(folder, kSuffix));
  std::set<std::string> names;
  for (const std::string& name : found) {
    if (names.contains(name)) continue;
    for (std::string& part : WholeSet(name)) names.insert(std::move(part));
  }
  return Shards{{names.begin(), names.end()}, folder};
}

const Json* DefaultTemplate(const Json& value) {
  if (value.is_string()) return &value;
  if (!value.is_array()) return nullptr;
  for (const Json& entry : value) {
    if (!entry.is_object()) continue;
    const auto name = entry.find("name");
    const auto text = entry.find("template");
    if (name != entry.end() && *name == "default" && text != entry.end() && text->is_string()) {
      return &*text;
    }
  }
  return nullptr;
}

}  // namespace

Result<std::set<std::string>> ParseSafetensorsIndex(std::string_view text,
                                                    const std::string& where) {
  IndexReader reader;
  FM_RETURN_IF_ERROR(reader.Run(text, where));
  if (!reader.found_map()) return InvalidInput("the index has no weight_map", where);
  auto files = reader.Take();
  if (files.empty()) return InvalidInput("the index names no file", where);
  return files;
}

Result<std::string> ParseChatTemplate(std::string_view json_text, const std::string& where) {
  FM_ASSIGN_OR_RETURN(const Json config, ParseJsonObject(json_text, where));
  const auto found = config.find("chat_template");
  if (found == config.end()) return std::string();
  const Json* text = DefaultTemplate(*found);
  return text == nullptr ? std::string() : text->get<std::string>();
}

Result<std::unique_ptr<ModelFile>> SafetensorsLoader::Load(const std::string& path,
                                                           const std::string& folder,
                                                           const std::string& file_name) {
  std::unique_ptr<ModelFile> model(new ModelFile());
  model->container_ = Container::kSafetensors;
  model->path_ = path;
  FM_RETURN_IF_ERROR(LoadTexts(*model, folder));
  FM_ASSIGN_OR_RETURN(const Shards shards, ChooseShards(folder, file_name));
  if (shards.names.empty()) {
    return Fail(ErrorCode::kNotFound, "the folder has no .safetensors file", folder,
                "download the model's weights into it");
  }
  for (const std::string& name : shards.names) {
    FM_RETURN_IF_ERROR(LoadShard(*model, folder, name, shards.named_by));
  }
  FM_RETURN_IF_ERROR(model->IndexTensors());
  return model;
}

Status SafetensorsLoader::LoadShard(ModelFile& model, const std::string& folder,
                                    const std::string& name, const std::string& named_by) {
  auto file = File::Open(JoinPath(folder, name));
  if (!file.has_value() && file.error().code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kNotFound, fmt::format("the model's file {} is missing", Quoted(name)),
                named_by, "download all files of the model into one folder");
  }
  FM_RETURN_IF_ERROR(file);
  const FileSource source(*file);
  FM_ASSIGN_OR_RETURN(const Container container, Identify(source));
  if (container != Container::kSafetensors) {
    return InvalidInput("this is not a safetensors file", source.name());
  }
  FM_ASSIGN_OR_RETURN(SafetensorsPart part, ParseSafetensors(source));
  std::ranges::move(part.skipped, std::back_inserter(model.skipped_));
  model.AddTensors(std::move(*file), std::move(part.tensors));
  return {};
}

Status SafetensorsLoader::LoadTexts(ModelFile& model, const std::string& folder) {
  const auto in_folder = [&](const char* name) { return JoinPath(folder, name); };
  const std::string config_path = in_folder("config.json");
  const auto config = ReadTextFile(config_path, kConfigBytesMax);
  if (!config.has_value() && config.error().code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kNotFound, "config.json is missing beside the safetensors files",
                config_path, "download it from the model's page into the same folder");
  }
  FM_RETURN_IF_ERROR(config);
  FM_ASSIGN_OR_RETURN(model.metadata_, ParseJsonObject(*config, config_path));

  const auto read = [&](const char* name, uint64_t bytes_max, std::string& text) -> Status {
    FM_ASSIGN_OR_RETURN(text, ReadTextFileIfAny(in_folder(name), bytes_max));
    return {};
  };
  FM_RETURN_IF_ERROR(read("tokenizer.json", kTokenizerBytesMax, model.tokenizer_json_));
  FM_RETURN_IF_ERROR(read("tokenizer_config.json", kConfigBytesMax, model.tokenizer_config_json_));
  FM_RETURN_IF_ERROR(
      read("generation_config.json", kConfigBytesMax, model.generation_config_json_));
  FM_RETURN_IF_ERROR(read("chat_template.jinja", kConfigBytesMax, model.chat_template_));

  std::string fallback;
  FM_RETURN_IF_ERROR(read("chat_template.json", kConfigBytesMax, fallback));
  if (model.chat_template_.empty() && !fallback.empty()) {
    FM_ASSIGN_OR_RETURN(model.chat_template_,
                        ParseChatTemplate(fallback, in_folder("chat_template.json")));
  }
  if (model.chat_template_.empty() && !model.tokenizer_config_json_.empty()) {
    FM_ASSIGN_OR_RETURN(
        model.chat_template_,
        ParseChatTemplate(model.tokenizer_config_json_, in_folder("tokenizer_config.json")));
  }
  return {};
}

}  // namespace flashmoe
