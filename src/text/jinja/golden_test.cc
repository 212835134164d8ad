// Templates rendered by the reference implementation (scripts/generate_jinja_golden.py).
#include <gtest/gtest.h>

#include <fstream>

#include "text/jinja/test_render.h"

namespace flashmoe::jinja {
namespace {

using Json = nlohmann::ordered_json;

TEST(JinjaGolden, EqualsTheReference) {
  std::ifstream file(FLASHMOE_TEST_DATA "/jinja/golden.json");
  const Json golden = Json::parse(file);
  ASSERT_GT(golden["cases"].size(), 400u);
  for (const Json& probe : golden["cases"]) {
    const auto source = probe["template"].get<std::string>();
    SCOPED_TRACE(probe["name"].get<std::string>() + ": " + source);
    const auto output = RenderForTest(source, golden["context"]);
    if (probe.contains("error")) {
      EXPECT_FALSE(output.has_value()) << "got " << *output;
      if (!output.has_value()) {
        EXPECT_FALSE(output.error().what.empty());
        EXPECT_TRUE(output.error().where.starts_with("chat_template")) << output.error().where;
      }
    } else if (output.has_value()) {
      EXPECT_EQ(*output, probe["expected"].get<std::string>());
    } else {
      ADD_FAILURE() << output.error().ToString();
    }
  }
}

}  // namespace
}  // namespace flashmoe::jinja
