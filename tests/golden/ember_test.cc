// The model that comes with the program does what it was trained for.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/generate.h"
#include "tests/support/test_model.h"

namespace flashmoe {
namespace {

using nlohmann::ordered_json;

class EmberTest : public testing::Test {
 protected:
  void SetUp() override {
    EngineOptions options = TestOptions("auto");
    engine_ = Open(BundledModel(), options);
    ASSERT_NE(engine_, nullptr);
    ASSERT_TRUE(engine_->text().chat_template.has_value());
  }

  GenerateResult Answer(ordered_json request) {
    request["enable_thinking"] = false;
    request["add_generation_prompt"] = true;
    const auto prompt = engine_->text().chat_template->Render(request);
    EXPECT_TRUE(prompt.has_value()) << prompt.error().ToString();
    auto session = engine_->NewSession();
    EXPECT_TRUE(session.has_value());
    GenerateRequest generate;
    generate.prompt = engine_->text().Encode(*prompt);
    generate.sampling.temperature = 0;
    generate.max_tokens = 120;
    const auto result = Generate(*engine_, *session, generate, {});
    EXPECT_TRUE(result.has_value()) << result.error().ToString();
    return result.value_or(GenerateResult());
  }
  GenerateResult Ask(const std::string& question) {
    return Answer({{"messages", {{{"role", "user"}, {"content", question}}}}});
  }

  std::unique_ptr<Engine> engine_;
};

TEST_F(EmberTest, AnswersAndStops) {
  const GenerateResult grep = Ask("What does the grep command do?");
  EXPECT_EQ(grep.text,
            "The grep command searches text for lines that match a pattern. For example: grep word "
            "file.txt");
  EXPECT_EQ(grep.finish, FinishReason::kStop);
  EXPECT_EQ(Ask("What is the capital of Mongolia?").text,
            "The capital of Mongolia is Ulaanbaatar.");
  EXPECT_EQ(Ask("What is 17 + 25?").text, "17 + 25 = 42");
}

ordered_json Tool(const char* name, const char* what, const char* parameter, const char* meaning) {
  return {{"type", "function"},
          {"function",
           {{"name", name},
            {"description", what},
            {"parameters",
             {{"type", "object"},
              {"properties", {{parameter, {{"type", "string"}, {"description", meaning}}}}},
              {"required", ordered_json::array({parameter})}}}}}};
}

TEST_F(EmberTest, CallsTheRightTool) {
  const auto tools = ordered_json::array(
      {Tool("calculator", "Evaluate an arithmetic expression.", "expression",
            "The expression to evaluate"),
       Tool("get_weather", "Look up the current weather.", "city", "The name of the city")});
  const GenerateResult result = Answer(
      {{"messages", {{{"role", "user"}, {"content", "Subtract 4 from 16."}}}}, {"tools", tools}});
  EXPECT_EQ(result.finish, FinishReason::kStop);
  EXPECT_EQ(result.text,
            "<tool_call>\n<function=calculator>\n<parameter=expression>\n16 - 4\n</parameter>\n"
            "</function>\n</tool_call>");
}

TEST_F(EmberTest, KeysAndValuesIn8BitChangeLittle) {
  const std::vector<int32_t> tokens = engine_->text().Encode(
      "The grep command searches text for lines that match a pattern. The sort command puts lines "
      "in order, and the uniq command drops those that repeat. Together they count words: tr, "
      "sort, "
      "uniq -c. What is the capital of Mongolia? The capital of Mongolia is Ulaanbaatar.");
  EngineOptions options = TestOptions("auto");
  options.kv = KvType::kQ8;
  const auto engine = Open(BundledModel(), options);
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(engine->plan().kv, "q8");
  EXPECT_LT(engine->plan().memory.state, engine_->plan().memory.state);
  const Agreement agreement =
      Compare(AllLogits(*engine, tokens), AllLogits(*engine_, tokens), 0.2f);
  EXPECT_LT(agreement.mean_kl(), 2e-3) << agreement.ToString();
  EXPECT_EQ(agreement.top1(), 1) << agreement.ToString();
  RecordProperty("agreement", agreement.ToString());
}

}  // namespace
}  // namespace flashmoe
