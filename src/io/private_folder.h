// Folders for what is nobody else's business: what people said to a model.
#pragma once

#include <string>

#include "base/status.h"

namespace flashmoe {

// Makes the folder and those above it that are missing, for the owner alone. One that is there
// keeps its permissions.
Status MakePrivateFolder(const std::string& path);

}  // namespace flashmoe
