#include "format/gguf_loader.h"

#include <fmt/format.h>

#include <filesystem>
#include <string_view>
#include <utility>

#include "format/identify.h"
#include "format/shard_name.h"
#include "format/utf8.h"

namespace flashmoe {
namespace {

using Json = nlohmann::json;

// The keys of a set. split.no counts from 0.
struct SplitKeys {
  int64_t number = 0;
  int64_t count = 1;
  int64_t tensors = -1;  // of all parts; -1: not told

  uint64_t part() const { return static_cast<uint64_t>(number) + 1; }  // counted from 1
};

Result<int64_t> IntegerOr(const Json& metadata, const char* key, int64_t absent,
                          const std::string& where) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return absent;
  const bool fits = found->is_number_integer() &&
                    (!found->is_number_unsigned() || found->get<uint64_t>() <= INT64_MAX);
  if (!fits || found->get<int64_t>() < 0) {
    return InvalidInput(fmt::format("{} is not a positive integer", key), where);
  }
  return found->get<int64_t>();
}

Result<SplitKeys> ReadSplitKeys(const Json& metadata, const std::string& where) {
  SplitKeys keys;
  FM_ASSIGN_OR_RETURN(keys.number, IntegerOr(metadata, "split.no", 0, where));
  FM_ASSIGN_OR_RETURN(keys.count, IntegerOr(metadata, "split.count", 1, where));
  FM_ASSIGN_OR_RETURN(keys.tensors, IntegerOr(metadata, "split.tensors.count", -1, where));
  return keys;
}

// Where the given part says that it stands in its set, or why that cannot be.
Result<ShardName> NameInSet(const std::string& path, const SplitKeys& keys) {
  const std::string file_name = std::filesystem::path(path).filename().string();
  const auto name = ParseShardName(file_name, ".gguf");
  if (!name.has_value() || name->count != keys.count || name->number - 1 != keys.number) {
    return InvalidInput(
        fmt::format("this is part {} of a model in {} files, but its name does not say so",
                    keys.part(), keys.count),
        path,
        fmt::format("give the files their original names: NAME-{:05}-of-{:05}.gguf", keys.part(),
                    keys.count));
  }
  return *name;
}

Result<std::shared_ptr<const File>> OpenPart(const std::string& path, const ShardName& name,
                                             const std::string& given) {
  auto file = File::Open(path);
  if (!file.has_value() && file.error().code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("part {} of {} of the model is missing: {}", name.number, name.count,
                            Quoted(path)),
                given, "download all parts into one folder");
  }
  return file;
}

Result<GgufPart> ReadPart(const std::shared_ptr<const File>& file) {
  const FileSource source(file);
  FM_ASSIGN_OR_RETURN(const Container container, Identify(source));
  if (container != Container::kGguf) {
    return InvalidInput("this is not a GGUF file", file->path());
  }
  return ParseGguf(source);
}

Status CheckSame(const SplitKeys& part, const SplitKeys& expected, const std::string& where) {
  if (part.number == expected.number && part.count == expected.count &&
      part.tensors == expected.tensors) {
    return {};
  }
  return InvalidInput(
      fmt::format("the file says that it is part {} of {} with {} tensors in all, but part {} of "
                  "{} with {} tensors belongs here",
                  part.part(), part.count, part.tensors, expected.part(), expected.count,
                  expected.tensors),
      where, "parts of different models are mixed: download the set again");
}

}  // namespace

Result<std::unique_ptr<ModelFile>> GgufLoader::Load(const std::string& path,
                                                    std::shared_ptr<const File> file) {
  std::unique_ptr<ModelFile> model(new ModelFile());
  model->container_ = Container::kGguf;
  model->path_ = path;
  FM_ASSIGN_OR_RETURN(GgufPart part, ReadPart(file));
  FM_ASSIGN_OR_RETURN(const SplitKeys keys, ReadSplitKeys(part.metadata, file->path()));
  if (keys.count > 1) {
    FM_RETURN_IF_ERROR(LoadSet(*model, std::move(file), std::move(part)));
  } else {
    model->metadata_ = std::move(part.metadata);
    model->AddTensors(std::move(file), std::move(part.tensors));
  }
  FM_RETURN_IF_ERROR(model->IndexTensors());
  return model;
}

Status GgufLoader::LoadSet(ModelFile& model, std::shared_ptr<const File> given,
                           GgufPart given_part) {
  const std::string given_path = given->path();
  FM_ASSIGN_OR_RETURN(SplitKeys keys, ReadSplitKeys(given_part.metadata, given_path));
  FM_ASSIGN_OR_RETURN(ShardName name, NameInSet(given_path, keys));
  const int given_number = name.number;

  for (name.number = 1; name.number <= name.count; ++name.number) {
    std::shared_ptr<const File> file = given;
    GgufPart part;
    if (name.number == given_number) {
      part = std::move(given_part);
    } else {
      const auto path = std::filesystem::path(given_path).replace_filename(MakeShardName(name));
      FM_ASSIGN_OR_RETURN(file, OpenPart(path.string(), name, given_path));
      FM_ASSIGN_OR_RETURN(part, ReadPart(file));
    }
    keys.number = name.number - 1;
    FM_ASSIGN_OR_RETURN(const SplitKeys found, ReadSplitKeys(part.metadata, file->path()));
    FM_RETURN_IF_ERROR(CheckSame(found, keys, file->path()));
    // The first part has all metadata; the others repeat what concerns themselves.
    if (name.number == 1) model.metadata_ = std::move(part.metadata);
    model.AddTensors(std::move(file), std::move(part.tensors));
  }
  const auto tensors = static_cast<int64_t>(model.tensors_.size());
  if (keys.tensors >= 0 && tensors != keys.tensors) {
    return InvalidInput(
        fmt::format("the set should have {} tensors and has {}", keys.tensors, tensors), given_path,
        "parts are damaged: download the set again");
  }
  return {};
}

}  // namespace flashmoe
