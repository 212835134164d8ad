// Layers never point up: a folder of src/ includes itself and folders of lower rank.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "source_tree.h"

namespace flashmoe::style {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::map<std::string, int>& Ranks() {
  static const std::map<std::string, int> ranks = {
      {"base", 0},     {"http", 1},   {"io", 1},      {"tensor", 1},  {"terminal", 1},
      {"web_page", 1}, {"format", 2}, {"text", 2},    {"gpu", 2},     {"kernels", 2},
      {"state", 3},    {"sample", 3}, {"grammar", 3}, {"experts", 3}, {"model", 4},
      {"chat", 4},     {"engine", 5}, {"synth", 5},   {"api", 5},     {"capi", 6},
      {"measure", 6},  {"serve", 6},  {"apps", 7},
  };
  return ranks;
}

// What stands between the quotes of an #include "..." line.
std::optional<std::string> QuotedInclude(std::string_view line) {
  const size_t hash = line.find_first_not_of(" \t");
  if (hash == std::string_view::npos || line[hash] != '#') return std::nullopt;
  const size_t word = line.find_first_not_of(" \t", hash + 1);
  if (word == std::string_view::npos || !line.substr(word).starts_with("include")) {
    return std::nullopt;
  }
  const size_t open = line.find('"', word);
  if (open == std::string_view::npos) return std::nullopt;
  const size_t close = line.find('"', open + 1);
  if (close == std::string_view::npos) return std::nullopt;
  return std::string(line.substr(open + 1, close - open - 1));
}

// The ranked folder a file belongs to: "base" for src/base/..., "apps" for apps/...
std::optional<std::string> FolderOf(const SourceFile& file) {
  const std::vector<std::string> parts = SplitPath(file.path);
  if (parts.front() == "apps") return "apps";
  if (parts.front() == "src" && parts.size() > 2) return parts[1];
  return std::nullopt;
}

std::string WhatIsWrong(const std::string& folder, const std::string& include) {
  const auto from = Ranks().find(folder);
  if (from == Ranks().end()) return fmt::format("the folder '{}' has no rank", folder);
  const std::vector<std::string> parts = SplitPath(include);
  if (parts.size() < 2) return fmt::format("write \"folder/{}\", from the root src/", include);
  const auto to = Ranks().find(parts.front());
  if (to == Ranks().end()) return fmt::format("\"{}\" is in no folder with a rank", include);
  if (to->first == from->first || to->second < from->second) return "";
  return fmt::format("'{}' (rank {}) must not include \"{}\" (rank {})", from->first, from->second,
                     include, to->second);
}

std::vector<std::string> RankOffences(const std::vector<SourceFile>& files) {
  std::vector<std::string> offences;
  for (const SourceFile& file : files) {
    const std::optional<std::string> folder = FolderOf(file);
    if (!folder.has_value()) continue;
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::optional<std::string> include = QuotedInclude(file.lines[i]);
      if (!include.has_value()) continue;
      const std::string wrong = WhatIsWrong(*folder, *include);
      if (!wrong.empty()) offences.push_back(Offence(file, i + 1, wrong));
    }
  }
  return offences;
}

TEST(IncludeRankTest, TheRepositoryKeepsTheRanks) {
  const std::vector<SourceFile> files = ReadSourceTree();
  ASSERT_GT(files.size(), 20u) << "the sources were not found";
  const std::vector<std::string> offences = RankOffences(files);
  EXPECT_TRUE(offences.empty()) << Join(offences);
}

TEST(IncludeRankTest, AcceptsTheSameFolderAndLowerRanks) {
  EXPECT_THAT(RankOffences({
                  MakeFile("src/experts/store.cc",
                           "#include \"experts/store.h\"\n#include <vector>\n"
                           "#include \"io/file.h\"\n#include \"base/status.h\"\n"),
                  MakeFile("apps/flashmoe/run.cc",
                           "#include \"apps/flashmoe/options.h\"\n#include \"engine/engine.h\"\n"),
                  MakeFile("src/CMakeLists.txt", "#include \"engine/engine.h\"\n"),
                  MakeFile("tests/golden/a_test.cc", "#include \"anything.h\"\n"),
              }),
              IsEmpty());
}

TEST(IncludeRankTest, RefusesHigherAndEqualRanks) {
  EXPECT_THAT(
      RankOffences({MakeFile("src/io/file.cc", "\n#include \"experts/store.h\"\n"),
                    MakeFile("src/io/other.cc", "#  include \"tensor/dtype.h\"\n"),
                    MakeFile("src/kernels/x/y.cc", "#include \"apps/flashmoe/run.h\"\n")}),
      ElementsAre("src/io/file.cc:2: 'io' (rank 1) must not include \"experts/store.h\" (rank 3)",
                  "src/io/other.cc:1: 'io' (rank 1) must not include \"tensor/dtype.h\" (rank 1)",
                  HasSubstr("\"apps/flashmoe/run.h\" (rank 7)")));
}

TEST(IncludeRankTest, RefusesFoldersWithoutARank) {
  EXPECT_THAT(
      RankOffences({MakeFile("src/misc/a.cc", "#include \"base/status.h\"\n"),
                    MakeFile("src/io/a.cc", "#include \"file.h\"\n"),
                    MakeFile("src/io/b.cc", "#include \"util/file.h\"\n")}),
      ElementsAre("src/misc/a.cc:1: the folder 'misc' has no rank",
                  HasSubstr("write \"folder/file.h\""), HasSubstr("no folder with a rank")));
}

}  // namespace
}  // namespace flashmoe::style
