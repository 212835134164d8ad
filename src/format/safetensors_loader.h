// Opens a Hugging Face or MLX folder: config.json, *.safetensors and what lies beside them.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/status.h"
#include "format/model_file.h"

namespace flashmoe {

class SafetensorsLoader {
 public:
  // `file_name`: a .safetensors file in `folder`, or empty for all of the model there. A file that
  // the index of the folder names, or that is called name-00001-of-0000N, brings its whole set;
  // any other file stands alone. `path` is what the user gave.
  static Result<std::unique_ptr<ModelFile>> Load(const std::string& path, const std::string& folder,
                                                 const std::string& file_name);

 private:
  static Status LoadShard(ModelFile& model, const std::string& folder, const std::string& name,
                          const std::string& named_by);
  static Status LoadTexts(ModelFile& model, const std::string& folder);
};

// The files that "weight_map" of a model.safetensors.index.json names. Fails for one that is not
// a plain file name.
Result<std::set<std::string>> ParseSafetensorsIndex(std::string_view text,
                                                    const std::string& where);

// The template in a tokenizer_config.json or chat_template.json: the value of "chat_template", a
// string or a list of {"name", "template"} of which "default" is taken. Empty if there is none.
Result<std::string> ParseChatTemplate(std::string_view json_text, const std::string& where);

}  // namespace flashmoe
