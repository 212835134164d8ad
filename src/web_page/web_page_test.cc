#include "web_page/web_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>

namespace flashmoe {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

std::string CommittedPage() {
  std::ifstream file(FLASHMOE_SOURCE_DIR "/web/dist/index.html", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

uint32_t Crc32(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
  }
  return ~crc;
}

// Four bytes, the lowest first, at `offset` from the end.
uint32_t LittleEndian(std::string_view bytes, size_t offset) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value |= uint32_t{static_cast<unsigned char>(bytes[bytes.size() - offset + i])} << (8 * i);
  }
  return value;
}

TEST(WebPageTest, IsTheCommittedPageAsGzip) {
  const std::string page = CommittedPage();
  const std::string_view gzip = ChatPageGzip();
  ASSERT_GT(page.size(), 100'000u) << "web/dist/index.html was not found";
  ASSERT_GT(gzip.size(), 18u);
  EXPECT_EQ(gzip.substr(0, 3), "\x1f\x8b\x08");
  // A gzip file ends with the checksum and the size of what went into it.
  EXPECT_EQ(LittleEndian(gzip, 8), Crc32(page));
  EXPECT_EQ(LittleEndian(gzip, 4), page.size());
  EXPECT_LT(gzip.size(), page.size() * 6 / 10);
}

TEST(WebPageTest, NamesNoTime) {
  EXPECT_EQ(ChatPageGzip().substr(4, 4), std::string(4, '\0')) << "builds would differ by the hour";
}

TEST(WebPageTest, HeaderAllowsThePageOnly) {
  const std::string policy = ChatPageSecurityPolicy();
  EXPECT_THAT(policy, testing::StartsWith("default-src 'none'; script-src 'sha256-"));
  EXPECT_THAT(policy, HasSubstr("; style-src 'sha256-"));
  EXPECT_THAT(policy, HasSubstr("; connect-src 'self';"));
  EXPECT_THAT(policy, HasSubstr("; require-trusted-types-for 'script';"));
  EXPECT_THAT(policy, EndsWith("; frame-ancestors 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_THAT(policy, Not(HasSubstr("http")));
  // What the header says, the page says too.
  const std::string meta = policy.substr(0, policy.rfind("; frame-ancestors"));
  EXPECT_THAT(CommittedPage(), HasSubstr("content=\"" + meta + "\""));
}

TEST(WebPageTest, TagIsQuoted) {
  const std::string tag = ChatPageTag();
  ASSERT_EQ(tag.size(), 34u);
  EXPECT_EQ(tag.front(), '"');
  EXPECT_EQ(tag.back(), '"');
  EXPECT_EQ(tag.find_first_not_of("0123456789abcdef", 1), tag.size() - 1);
}

}  // namespace
}  // namespace flashmoe
