#include "base/units.h"

#include <gtest/gtest.h>

#include <limits>

namespace flashmoe {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

struct SizeCase {
  const char* text;
  uint64_t bytes;
};

TEST(ParseBytesTest, ReadsSizesAsPeopleWriteThem) {
  const SizeCase cases[] = {
      {"0", 0},
      {"4096", 4096},
      {"12B", 12},
      {"12 b", 12},
      {"800k", 800'000},
      {"800KB", 800'000},
      {"800kB", 800'000},
      {"1Ki", 1024},
      {"1KiB", 1024},
      {"512 MiB", uint64_t{512} << 20},
      {"6GiB", uint64_t{6} << 30},
      {"6gib", uint64_t{6} << 30},
      {"6G", 6'000'000'000},
      {"1.5GB", 1'500'000'000},
      {"1.5 GiB", uint64_t{3} << 29},
      {"0.1G", 100'000'000},
      {"0.7TB", 700'000'000'000},
      {"2.000001 kB", 2000},
      {"  24MB  ", 24'000'000},
      {"3T", 3'000'000'000'000},
      {"2TiB", uint64_t{2} << 40},
      {"18446744073709551615", kMax},
      {"15EiB", uint64_t{15} << 60},
  };
  for (const SizeCase& c : cases) {
    const Result<uint64_t> bytes = ParseBytes(c.text);
    ASSERT_TRUE(bytes.has_value()) << c.text << ": " << bytes.error().ToString();
    EXPECT_EQ(*bytes, c.bytes) << c.text;
  }
}

TEST(ParseBytesTest, RefusesWhatIsNotASize) {
  for (const char* text :
       {"",    " ",    "G",      "GiB",   "-1",  "+1",   "1.",  ".5G", "1..5G", "1.5",    "1.5B",
        "1e9", "0x10", "6 Gi B", "6GiBs", "6Bi", "6 XB", "nan", "inf", "1,5G",  "4096\n", "1 2"}) {
    const Result<uint64_t> bytes = ParseBytes(text);
    ASSERT_FALSE(bytes.has_value()) << text;
    EXPECT_EQ(bytes.error().code, ErrorCode::kInvalidInput) << text;
    EXPECT_NE(bytes.error().what.find(std::string("'") + text + "'"), std::string::npos)
        << bytes.error().ToString();
    EXPECT_NE(bytes.error().hint.find("6GiB"), std::string::npos);
  }
}

TEST(ParseBytesTest, RefusesSizesBeyond64Bits) {
  for (const char* text : {"18446744073709551616", "16EiB", "15.99999999999999999999EiB",
                           "99999999999999999999999999", "18446744073709551615k", "18.5EB"}) {
    const Result<uint64_t> bytes = ParseBytes(text);
    ASSERT_FALSE(bytes.has_value()) << text << " = " << *bytes;
    EXPECT_NE(bytes.error().what.find("64 bits"), std::string::npos) << bytes.error().what;
  }
}

TEST(ParseBytesTest, QuotesOnlyTheBeginningOfALongText) {
  const Result<uint64_t> bytes = ParseBytes(std::string(100'000, 'x'));
  ASSERT_FALSE(bytes.has_value());
  EXPECT_LT(bytes.error().what.size(), 100u);
}

TEST(FormatBytesTest, ShowsThreeDigits) {
  const SizeCase cases[] = {
      {"0 B", 0},
      {"999 B", 999},
      {"1.00 kB", 1000},
      {"1.02 kB", 1024},
      {"9.99 kB", 9'994},
      {"10.0 kB", 9'996},
      {"99.9 kB", 99'949},
      {"100 kB", 99'951},
      {"999 kB", 999'499},
      {"1.00 MB", 999'500},
      {"24.7 MB", 24'745'312},
      {"6.44 GB", uint64_t{6} << 30},
      {"1.10 TB", uint64_t{1} << 40},
      {"18.4 EB", kMax},
  };
  for (const SizeCase& c : cases) EXPECT_EQ(FormatBytes(c.bytes), c.text) << c.bytes;
}

TEST(FormatBytesTest, CanBeReadBack) {
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{17}, uint64_t{999'500}, uint64_t{1} << 52}) {
    const Result<uint64_t> again = ParseBytes(FormatBytes(bytes));
    ASSERT_TRUE(again.has_value());
    EXPECT_NEAR(static_cast<double>(*again), static_cast<double>(bytes),
                0.005 * static_cast<double>(bytes));
  }
}

}  // namespace
}  // namespace flashmoe
