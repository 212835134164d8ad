#include "format/model_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "format/gguf_writer.h"
#include "format/test_support.h"

namespace flashmoe {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string ErrorFor(const std::string& path) { return ErrorOf(ModelFile::Open(path)); }

// Writes part `number` (from 1) of a set of `count` with `total` tensors in all; it has those that
// are called `names`.
std::string WritePart(const TestFolder& folder, int number, int count, int total,
                      const std::vector<std::string>& names, const std::string& file_name = "") {
  GgufWriter writer;
  if (number == 1) writer.Add("general.architecture", "qwen35moe");
  writer.Add("split.no", static_cast<uint16_t>(number - 1));
  writer.Add("split.count", static_cast<uint16_t>(count));
  writer.Add("split.tensors.count", static_cast<int32_t>(total));
  for (const auto& name : names) writer.AddTensor(name, DType::kF32, {4}, Ramp(16));
  const std::string path = folder.File(
      file_name.empty() ? fmt::format("m-{:05}-of-{:05}.gguf", number, count) : file_name);
  EXPECT_EQ(ErrorOf(writer.WriteFile(path)), "");
  return path;
}

std::string TinyGguf() {
  GgufWriter writer;
  writer.Add("general.architecture", "x");
  writer.AddTensor("t", DType::kF32, {4}, Ramp(16));
  return writer.ToString().value();
}

TEST(ModelFile, ContentDecidesNotTheName) {
  TestFolder folder;
  const std::string path = folder.Write("model.bin", TinyGguf());
  const auto model = ModelFile::Open(path);
  ASSERT_TRUE(model.has_value()) << ErrorOf(model);
  EXPECT_EQ((*model)->container(), Container::kGguf);
  EXPECT_EQ((*model)->path(), path);
  EXPECT_EQ((*model)->metadata()["general.architecture"], "x");
  EXPECT_EQ((*model)->total_bytes(), TinyGguf().size());
  ASSERT_NE((*model)->Find("t"), nullptr);
  EXPECT_EQ((*model)->Find("t")->file, (*model)->files()[0].get());
  EXPECT_EQ((*model)->Find("u"), nullptr);
  EXPECT_THAT(ErrorFor(folder.Write("model.gguf", "PK\x03\x04")), HasSubstr("zip archive"));
}

TEST(ModelFile, AnyPartOpensTheSet) {
  TestFolder folder;
  const std::vector<std::string> paths = {WritePart(folder, 1, 3, 3, {}),
                                          WritePart(folder, 2, 3, 3, {"a", "b"}),
                                          WritePart(folder, 3, 3, 3, {"c"})};
  for (const std::string& path : {paths[0], paths[1], paths[2], folder.path()}) {
    const auto model = ModelFile::Open(path);
    ASSERT_TRUE(model.has_value()) << ErrorOf(model);
    EXPECT_EQ((*model)->path(), path);
    EXPECT_EQ((*model)->metadata()["general.architecture"], "qwen35moe");
    ASSERT_EQ((*model)->files().size(), 3u);
    ASSERT_EQ((*model)->tensors().size(), 3u);
    ASSERT_NE((*model)->Find("c"), nullptr);
    EXPECT_EQ((*model)->Find("c")->file->path(), paths[2]);
    EXPECT_EQ((*model)->Find("a")->file->path(), paths[1]);
  }
}

TEST(ModelFile, MissingPartIsNamed) {
  TestFolder folder;
  const std::string path = WritePart(folder, 2, 3, 2, {"a"});
  WritePart(folder, 1, 3, 2, {});
  for (const std::string& given : {path, folder.path()}) {
    EXPECT_THAT(ErrorFor(given),
                AllOf(HasSubstr("part 3 of 3"), HasSubstr("m-00003-of-00003.gguf")));
  }
}

TEST(ModelFile, PartsMustBelongTogether) {
  {
    TestFolder folder;
    const auto path = WritePart(folder, 1, 2, 2, {"a"});
    WritePart(folder, 2, 2, 2, {"a"});
    EXPECT_THAT(ErrorFor(path), HasSubstr("tensor \"a\" is in"));
  }
  {
    TestFolder folder;
    const auto path = WritePart(folder, 1, 2, 3, {"a"});
    WritePart(folder, 2, 2, 3, {"b"});
    EXPECT_THAT(ErrorFor(path), HasSubstr("should have 3 tensors and has 2"));
  }
  {
    TestFolder folder;
    const auto path = WritePart(folder, 1, 2, 2, {"a"});
    WritePart(folder, 2, 2, 9, {"b"});
    EXPECT_THAT(ErrorFor(path), HasSubstr("parts of different models"));
  }
  {
    TestFolder folder;
    const auto path = WritePart(folder, 1, 2, 2, {"a"});
    WritePart(folder, 1, 2, 2, {"b"}, "m-00002-of-00002.gguf");
    EXPECT_THAT(ErrorFor(path), HasSubstr("part 2 of 2 with 2 tensors belongs here"));
  }
  {
    TestFolder folder;
    const auto path = WritePart(folder, 1, 2, 2, {"a"}, "renamed.gguf");
    EXPECT_THAT(ErrorFor(path), HasSubstr("original names: NAME-00001-of-00002.gguf"));
  }
  {
    TestFolder folder;
    const auto path = WritePart(folder, 1, 2, 2, {"a"});
    folder.Write("m-00002-of-00002.gguf", "version https://git-lfs.github.com/spec/v1\n");
    EXPECT_THAT(ErrorFor(path), AllOf(HasSubstr("LFS"), HasSubstr("m-00002-of-00002.gguf")));
  }
}

TEST(ModelFile, HostileSplitKeys) {
  TestFolder folder;
  const auto write = [&](auto number, auto count) {
    GgufWriter writer;
    writer.Add("split.no", number);
    writer.Add("split.count", count);
    return folder.Write("m-00001-of-00002.gguf", writer.ToString().value());
  };
  EXPECT_THAT(ErrorFor(write("0", uint16_t{2})), HasSubstr("split.no is not a positive integer"));
  EXPECT_THAT(ErrorFor(write(-1, uint16_t{2})), HasSubstr("split.no"));
  EXPECT_THAT(ErrorFor(write(UINT64_MAX, uint16_t{2})), HasSubstr("split.no"));
  EXPECT_THAT(ErrorFor(write(INT64_MAX, uint16_t{2})), HasSubstr("its name does not say so"));
  EXPECT_THAT(ErrorFor(write(0, INT64_MAX)), HasSubstr("its name does not say so"));
}

TEST(ModelFile, FoldersWithOneGgufModel) {
  TestFolder folder;
  EXPECT_THAT(ErrorFor(folder.path()), HasSubstr("holds no model"));
  folder.Write("one.gguf", TinyGguf());
  folder.Write("mmproj-F16.gguf", "not read");
  folder.Write("README.md", "# text");
  const auto model = ModelFile::Open(folder.path());
  ASSERT_TRUE(model.has_value()) << ErrorOf(model);
  EXPECT_EQ((*model)->files()[0]->path(), folder.File("one.gguf"));
  folder.Write("two.gguf", TinyGguf());
  EXPECT_THAT(ErrorFor(folder.path()),
              AllOf(HasSubstr("several models: \"one.gguf\", \"two.gguf\""),
                    HasSubstr("give the path of one")));
}

TEST(ModelFile, RefusesWhatIsNoFile) {
  TestFolder folder;
  EXPECT_THAT(ErrorFor(""), HasSubstr("empty"));
  EXPECT_THAT(ErrorFor(std::string("a\0b", 3)), HasSubstr("zero byte"));
  EXPECT_THAT(ErrorFor(folder.File("none")), HasSubstr("No such file"));
  EXPECT_THAT(ErrorFor(folder.Write("empty.gguf", "")), HasSubstr("empty"));
  ASSERT_EQ(mkfifo(folder.File("pipe").c_str(), 0600), 0);
  EXPECT_THAT(ErrorFor(folder.File("pipe")), HasSubstr("a pipe"));
  EXPECT_THAT(ErrorFor("/dev/zero"), HasSubstr("a device"));
}

}  // namespace
}  // namespace flashmoe
