#include "format/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace flashmoe {
namespace fs = std::filesystem;

Result<std::vector<std::string>> ListFiles(const std::string& folder, std::string_view suffix) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(folder.empty() ? "." : folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().filename().string();
    std::error_code ignored;  // a broken link is listed: opening it tells what is wrong
    if (name.ends_with(suffix) && !entry->is_directory(ignored)) names.push_back(std::move(name));
  }
  if (error) {
    return Fail(ErrorCode::kIo, fmt::format("cannot list the folder: {}", error.message()), folder);
  }
  std::ranges::sort(names);
  return names;
}

std::string JoinPath(const std::string& folder, std::string_view name) {
  return (fs::path(folder) / name).string();
}

bool IsPlainFileName(std::string_view name) {
  using namespace std::string_view_literals;
  return !name.empty() && name != "." && name != ".." && name.find_first_of("/\\\0"sv) == name.npos;
}

}  // namespace flashmoe
