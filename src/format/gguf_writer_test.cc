#include "format/gguf_writer.h"

#include <gmock/gmock.h>

#include "format/model_file.h"
#include "format/test_support.h"

namespace flashmoe {
namespace {

using testing::HasSubstr;

TEST(GgufWriter, StreamsWholeRows) {
  // Rows of 3 MiB: one a piece. Rows of 8 bytes: gathered.
  for (const int64_t columns : {int64_t{3} << 20, int64_t{8}}) {
    const int64_t rows = columns > 8 ? 3 : 1'000'001;
    uint64_t expected = 0;
    GgufWriter writer;
    writer.AddTensor("t", DType::kI8, {rows, columns},
                     [&](uint64_t offset, std::span<std::byte> out) -> Status {
                       EXPECT_EQ(offset, expected);
                       EXPECT_EQ(out.size() % static_cast<uint64_t>(columns), 0u);
                       EXPECT_LE(out.size(), 4u << 20);
                       expected = offset + out.size();
                       return {};
                     });
    ASSERT_TRUE(writer.Write([](auto) -> Status { return {}; }).has_value());
    EXPECT_EQ(expected, static_cast<uint64_t>(rows * columns));
  }
}

TEST(GgufWriter, WritesAFileThatOpens) {
  TestFolder folder;
  GgufWriter writer;
  writer.Add("general.architecture", "x");
  writer.AddTensor("t", DType::kQ4_K, {2, 256}, Ramp(288));
  ASSERT_EQ(ErrorOf(writer.WriteFile(folder.File("m.gguf"))), "");
  const auto model = ModelFile::Open(folder.File("m.gguf"));
  ASSERT_TRUE(model.has_value()) << ErrorOf(model);
  const TensorInfo* tensor = (*model)->Find("t");
  ASSERT_NE(tensor, nullptr);
  std::vector<std::byte> bytes(tensor->bytes);
  ASSERT_TRUE(tensor->file->ReadAt(tensor->offset, bytes).has_value());
  EXPECT_EQ(bytes, Ramp(288));
}

TEST(GgufWriter, LeavesNothingBehindWhenItFails) {
  TestFolder folder;
  GgufWriter writer;
  writer.AddTensor("t", DType::kI8, {4}, [](uint64_t, std::span<std::byte>) -> Status {
    return InvalidInput("no weights today");
  });
  EXPECT_THAT(ErrorOf(writer.WriteFile(folder.File("m.gguf"))), HasSubstr("no weights today"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_THAT(ErrorOf(writer.WriteFile(folder.File("none/m.gguf"))), HasSubstr("cannot create"));
}

}  // namespace
}  // namespace flashmoe
