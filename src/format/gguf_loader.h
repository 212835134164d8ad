// Opens a GGUF model that is one file or a set of files name-00001-of-0000N.gguf.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "format/gguf.h"
#include "format/model_file.h"

namespace flashmoe {

class GgufLoader {
 public:
  // `path`: the file, or any part of the set; `file` is that file, open.
  static Result<std::unique_ptr<ModelFile>> Load(const std::string& path,
                                                 std::shared_ptr<const File> file);

 private:
  static Status LoadSet(ModelFile& model, std::shared_ptr<const File> given, GgufPart given_part);
};

}  // namespace flashmoe
