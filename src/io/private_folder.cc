#include "io/private_folder.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace flashmoe {

namespace fs = std::filesystem;

Status MakePrivateFolder(const std::string& path) {
  std::error_code error;
  const fs::path folder = fs::path(path).lexically_normal();
  if (fs::is_directory(folder, error)) return {};
  // "a/" lies in "a", which then is there.
  const fs::path above = folder.parent_path();
  if (!above.empty() && above != folder) FM_RETURN_IF_ERROR(MakePrivateFolder(above.string()));
  if (mkdir(folder.c_str(), 0700) == 0) return {};
  const int problem = errno;
  if (problem == EEXIST && fs::is_directory(folder, error)) return {};  // made meanwhile
  return Fail(ErrorCode::kIo,
              "the folder cannot be made: " + std::generic_category().message(problem), path);
}

}  // namespace flashmoe
