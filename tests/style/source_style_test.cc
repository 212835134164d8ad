// What a formatter does not see.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "source_tree.h"

namespace flashmoe::style {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr size_t kColumnsMax = 100;
constexpr size_t kFileLinesMax = 700;

bool IsUnder(const SourceFile& file, std::string_view folder) {
  return file.path.starts_with(std::string(folder) + "/");
}

// Characters, not bytes, of a UTF-8 line.
size_t Columns(std::string_view line) {
  size_t columns = 0;
  for (const char c : line) {
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) ++columns;
  }
  return columns;
}

void CheckLayout(const SourceFile& file, std::vector<std::string>& offences) {
  for (size_t i = 0; i < file.lines.size(); ++i) {
    const std::string& line = file.lines[i];
    if (line.find('\t') != std::string::npos) offences.push_back(Offence(file, i + 1, "a tab"));
    if (const size_t columns = Columns(line); columns > kColumnsMax) {
      offences.push_back(
          Offence(file, i + 1,
                  std::to_string(columns) + " columns, at most " + std::to_string(kColumnsMax)));
    }
  }
  if (IsCpp(file) && file.lines.size() > kFileLinesMax) {
    offences.push_back(Offence(
        file, file.lines.size(),
        fmt::format("{} lines, at most {}: one idea a file", file.lines.size(), kFileLinesMax)));
  }
  if (IsHeader(file) &&
      std::find(file.lines.begin(), file.lines.end(), "#pragma once") == file.lines.end()) {
    offences.push_back(Offence(file, 1, "no #pragma once"));
  }
}

// The library neither prints nor reads the environment; a failed check and its tests may.
void CheckSilence(const SourceFile& file, std::vector<std::string>& offences) {
  if (!IsUnder(file, "src") || !IsCpp(file) || file.path == "src/base/check.cc") return;
  if (file.path.ends_with("_test.cc")) return;
  static const std::regex forbidden(
      R"(\b(printf|fprintf|vprintf|puts|fputs|putchar|perror|getenv|secure_getenv)\s*\()"
      R"(|\bstd::(cout|cerr|clog|print|println)\b|\bfmt::print)");
  for (size_t i = 0; i < file.lines.size(); ++i) {
    const std::string code(WithoutComment(file.lines[i]));
    std::smatch match;
    if (std::regex_search(code, match, forbidden)) {
      offences.push_back(Offence(file, i + 1, fmt::format("'{}' belongs into apps/", match.str())));
    }
  }
}

// A source that names a folder of somebody's machine works there only.
void CheckMachinePaths(const SourceFile& file, std::vector<std::string>& offences) {
  if (IsUnder(file, "scripts")) return;
  static const std::regex machine_path(R"((^|[^\w.)}>/-])(/(work|tmp|home|root|mnt)(/|"|'|$|\s)))");
  for (size_t i = 0; i < file.lines.size(); ++i) {
    std::smatch match;
    if (std::regex_search(file.lines[i], match, machine_path)) {
      offences.push_back(Offence(file, i + 1, fmt::format("the machine path '{}'", match.str(2))));
    }
  }
}

std::vector<std::string> StyleOffences(const std::vector<SourceFile>& files) {
  std::vector<std::string> offences;
  for (const SourceFile& file : files) {
    CheckLayout(file, offences);
    CheckSilence(file, offences);
    CheckMachinePaths(file, offences);
  }
  return offences;
}

TEST(SourceStyleTest, TheRepositoryKeepsTheStyle) {
  const std::vector<SourceFile> files = ReadSourceTree();
  ASSERT_GT(files.size(), 20u) << "the sources were not found";
  const std::vector<std::string> offences = StyleOffences(files);
  EXPECT_TRUE(offences.empty()) << Join(offences);
}

TEST(SourceStyleTest, AcceptsOrdinarySources) {
  EXPECT_THAT(StyleOffences({
                  MakeFile("src/a/a.h", "// What a is.\n#pragma once\n"),
                  MakeFile("src/a/a.cc",
                           "snprintf(b, 9, \"x\");  // not printf()\nReadFrom(framework/work);"),
                  MakeFile("src/base/check.cc", "std::fprintf(stderr, \"x\");\n"),
                  MakeFile("src/a/a_test.cc", "std::cerr << 1;\n"),
                  MakeFile("apps/flashmoe/run.cc", "fmt::print(\"x\"); getenv(\"HOME\");\n"),
                  MakeFile("src/a/b.cc", std::string(100, 'x')),
                  MakeFile("src/a/c.cc",
                           "// " + std::string(97, 'x') + "\n" + "\xc3\xa9" + std::string(99, 'x')),
              }),
              IsEmpty());
}

TEST(SourceStyleTest, RefusesTabsLongLinesAndLongFiles) {
  EXPECT_THAT(StyleOffences({MakeFile("src/a/a.cc", "ok\n\tx\n" + std::string(101, 'x') + "\n"),
                             MakeFile("tests/b.cc", std::string(701, '\n')),
                             MakeFile("models/data.py", std::string(701, '\n'))}),
              ElementsAre("src/a/a.cc:2: a tab", "src/a/a.cc:3: 101 columns, at most 100",
                          HasSubstr("tests/b.cc:701: 701 lines, at most 700")));
}

TEST(SourceStyleTest, RefusesHeadersWithoutAGuard) {
  EXPECT_THAT(StyleOffences({MakeFile("tests/support/x.h", "int x();\n")}),
              ElementsAre("tests/support/x.h:1: no #pragma once"));
}

TEST(SourceStyleTest, RefusesPrintingAndTheEnvironmentInTheLibrary) {
  EXPECT_THAT(StyleOffences({MakeFile("src/a/a.cc",
                                      "printf(\"x\");\nstd::cerr << 1;\ngetenv(\"HOME\");\n"
                                      "fmt::print(\"x\");\nstd::puts(\"x\");\n")}),
              ElementsAre(HasSubstr("a.cc:1: 'printf('"), HasSubstr("a.cc:2: 'std::cerr'"),
                          HasSubstr("a.cc:3: 'getenv('"), HasSubstr("a.cc:4: 'fmt::print'"),
                          HasSubstr("a.cc:5: 'puts('")));
}

TEST(SourceStyleTest, RefusesMachinePaths) {
  const std::string root = "/";  // keeps this file itself clean
  EXPECT_THAT(StyleOffences({MakeFile("tests/a.cc", fmt::format("Open(\"{}work/x\");\n", root)),
                             MakeFile("src/a/a.cc", fmt::format("// see {}tmp/x\n", root)),
                             MakeFile("models/x.py", fmt::format("open('{}tmp')\n", root)),
                             MakeFile("scripts/x.py", fmt::format("open('{}tmp')\n", root))}),
              ElementsAre(HasSubstr(fmt::format("tests/a.cc:1: the machine path '{}work/'", root)),
                          HasSubstr(fmt::format("src/a/a.cc:1: the machine path '{}tmp/'", root)),
                          HasSubstr(fmt::format("models/x.py:1: the machine path '{}tmp'", root))));
}

}  // namespace
}  // namespace flashmoe::style
