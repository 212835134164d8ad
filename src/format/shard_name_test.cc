#include "format/shard_name.h"

#include <gtest/gtest.h>

namespace flashmoe {
namespace {

TEST(ShardName, ParsesAndMakes) {
  const auto name = ParseShardName("Qwen-Q4_K-00002-of-00005.gguf", ".gguf");
  ASSERT_TRUE(name.has_value());
  EXPECT_EQ(name->prefix, "Qwen-Q4_K");
  EXPECT_EQ(name->number, 2);
  EXPECT_EQ(name->count, 5);
  EXPECT_EQ(MakeShardName(*name), "Qwen-Q4_K-00002-of-00005.gguf");
}

TEST(ShardName, RefusesOtherNames) {
  for (const char* name :
       {"", ".gguf", "a.gguf", "00002-of-00005.gguf", "a-2-of-5.gguf", "a-00000-of-00005.gguf",
        "a-00006-of-00005.gguf", "a-0000x-of-00005.gguf", "a-00002-of-00005",
        "a-00002-of-00005.safetensors", "a-00002of-00005.gguf", "a-+0002-of-00005.gguf"}) {
    EXPECT_FALSE(ParseShardName(name, ".gguf").has_value()) << name;
  }
}

}  // namespace
}  // namespace flashmoe
