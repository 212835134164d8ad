// The repository's source files as lines of text, for the checks of this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flashmoe::style {

struct SourceFile {
  std::string path;  // relative to the repository: "src/base/status.h"
  std::vector<std::string> lines;
};

// One offence as "path:line: what is wrong"; `line` counts from 1.
std::string Offence(const SourceFile& file, size_t line, const std::string& what);

// A file from its text, as ReadSourceTree would give it.
SourceFile MakeFile(std::string path, std::string_view text);

// All C++, CMake and Python sources of the repository, sorted by path. Build folders, test data and
// fuzzing corpora are left out.
std::vector<SourceFile> ReadSourceTree();

// The line without what follows "//".
std::string_view WithoutComment(std::string_view line);

// "src/base/status.h" -> {"src", "base", "status.h"}
std::vector<std::string> SplitPath(std::string_view path);

bool IsCpp(const SourceFile& file);
bool IsHeader(const SourceFile& file);

// The offences one below the other, for a failure message.
std::string Join(const std::vector<std::string>& offences);

}  // namespace flashmoe::style
