// By what a checkpoint is known to belong to a model.
#pragma once

#include <string_view>

#include "base/status.h"
#include "format/model_file.h"
#include "model/config.h"
#include "state/checkpoint.h"

namespace flashmoe {

// Differs where logits may: in the weights (by the directory of tensors and samples of the data all
// over the files, for nobody wants to read 200 GB for this), the geometry, and `computed`, which
// says how they are computed. Does not depend on where the files lie.
Result<Digest> ModelIdentity(const ModelFile& file, const ModelConfig& config,
                             std::string_view computed);

}  // namespace flashmoe
