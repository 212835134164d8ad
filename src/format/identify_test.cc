#include "format/identify.h"

#include <gmock/gmock.h>

#include "format/safetensors_writer.h"
#include "format/test_support.h"

namespace flashmoe {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using namespace std::string_view_literals;

std::string ErrorFor(std::string_view content) {
  return ErrorOf(Identify(MemorySource("f", BytesOf(content))));
}

TEST(Identify, KnowsItsContainers) {
  EXPECT_EQ(Identify(MemorySource("f", BytesOf("GGUF"))), Container::kGguf);
  SafetensorsWriter writer;
  writer.AddTensor("t", "F32", {1}, Ramp(4));
  const std::string file = writer.ToString();
  EXPECT_EQ(Identify(MemorySource("f", BytesOf(file))), Container::kSafetensors);
}

TEST(Identify, NamesForeignFiles) {
  EXPECT_THAT(ErrorFor(""), HasSubstr("empty"));
  EXPECT_THAT(ErrorFor("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n"),
              AllOf(HasSubstr("Git LFS pointer"), HasSubstr("git lfs pull")));
  EXPECT_THAT(ErrorFor("PK\x03\x04xxxx"), HasSubstr("zip archive"));
  EXPECT_THAT(ErrorFor("\x80\x02}q\x00"sv), HasSubstr("pickle"));
  EXPECT_THAT(ErrorFor("lmgg\x01\x00\x00\x00"sv), HasSubstr("before GGUF"));
  EXPECT_THAT(ErrorFor("tjgg\x03\x00\x00\x00"sv), HasSubstr("before GGUF"));
  EXPECT_THAT(ErrorFor("\n <!DOCTYPE html><html>"), HasSubstr("web page"));
  EXPECT_THAT(ErrorFor("{\"model_type\": \"qwen3_5_moe\"}"), HasSubstr("a text file"));
  EXPECT_THAT(ErrorFor("Entry not found"), HasSubstr("a text file"));
  EXPECT_THAT(ErrorFor("\x1f\x8b\x08"), HasSubstr("gzip"));
  EXPECT_THAT(ErrorFor(std::string(4096, '\0')), HasSubstr("starts with zeros"));
  EXPECT_THAT(ErrorFor("\x01\x02\x03\xfe"), HasSubstr("starts with 01 02 03 fe"));
  std::string tar(512, '\0');
  tar.replace(0, 5, "model").replace(257, 5, "ustar");
  EXPECT_THAT(ErrorFor(tar), HasSubstr("tar archive"));
}

}  // namespace
}  // namespace flashmoe
