#include "source_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace flashmoe::style {
namespace {

namespace fs = std::filesystem;

bool IsSource(const fs::path& path) {
  const std::string extension = path.extension().string();
  constexpr std::array<std::string_view, 6> kExtensions = {".h",   ".cc",    ".c",
                                                           ".inc", ".cmake", ".py"};
  return path.filename() == "CMakeLists.txt" ||
         std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

bool IsSkippedFolder(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with('.') || name == "build" || name == "data" || name == "corpus" ||
         name == "node_modules" || name == "__pycache__";
}

std::string ReadText(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

std::string Offence(const SourceFile& file, size_t line, const std::string& what) {
  return fmt::format("{}:{}: {}", file.path, line, what);
}

SourceFile MakeFile(std::string path, std::string_view text) {
  SourceFile file{std::move(path), {}};
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    file.lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return file;
}

std::vector<SourceFile> ReadSourceTree() {
  const fs::path root = FLASHMOE_SOURCE_DIR;
  std::vector<SourceFile> files;
  for (auto entry = fs::recursive_directory_iterator(root);
       entry != fs::recursive_directory_iterator(); ++entry) {
    if (entry->is_directory() && IsSkippedFolder(entry->path())) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && IsSource(entry->path())) {
      files.push_back(MakeFile(entry->path().lexically_relative(root).generic_string(),
                               ReadText(entry->path())));
    }
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

std::string_view WithoutComment(std::string_view line) { return line.substr(0, line.find("//")); }

std::vector<std::string> SplitPath(std::string_view path) {
  std::vector<std::string> parts;
  while (true) {
    const size_t slash = path.find('/');
    parts.emplace_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

bool IsHeader(const SourceFile& file) { return file.path.ends_with(".h"); }

bool IsCpp(const SourceFile& file) { return IsHeader(file) || file.path.ends_with(".cc"); }

std::string Join(const std::vector<std::string>& offences) {
  std::string text;
  for (const std::string& offence : offences) text += "\n" + offence;
  return text;
}

}  // namespace flashmoe::style
