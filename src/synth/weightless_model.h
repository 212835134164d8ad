// A model file with a hole where its weights would be: enough for everything that looks at sizes,
// of a model of any size, in next to no memory.
#pragma once

#include <memory>

#include "base/status.h"
#include "format/model_file.h"
#include "model/config.h"
#include "model/gguf_tensors.h"

namespace flashmoe {

// The same metadata, vocabulary and places of tensors as WriteRandomModel() would write; all
// weights read as zero bytes. Fails where a type does not suit the geometry, and where the system
// has no files in memory.
Result<std::unique_ptr<ModelFile>> OpenWithoutWeights(const ModelConfig& config,
                                                      const GgufTypes& types);

}  // namespace flashmoe
