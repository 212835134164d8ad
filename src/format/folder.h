// Folders that hold models.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace flashmoe {

// Names of the files in `folder` that end with `suffix`, sorted; folders are left out.
Result<std::vector<std::string>> ListFiles(const std::string& folder, std::string_view suffix);

// `name` within `folder`. An empty folder is the current one.
std::string JoinPath(const std::string& folder, std::string_view name);

// A plain file name: no folder, not "..", not empty. Names from index files must be.
bool IsPlainFileName(std::string_view name);

}  // namespace flashmoe
