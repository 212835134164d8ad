// flashmoe eval, info, tokenize and prompt.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::string kVocabulary = FLASHMOE_TEST_DATA "/tokenizer/ggml-vocab-qwen35.gguf";
const std::string kText = "The cat sat on the mat. It was a sunny day.";

TEST(EvalTest, TextAndTokensGiveTheSamePositions) {
  const Folder folder;
  const std::string text = folder.Write("text", kText);
  const json by_text = ExpectJson(RunFlashmoe({"eval", "--text", text, "--json"}));
  const json ids = ExpectJson(RunFlashmoe({"tokenize", "-f", text, "--json"}));
  const std::string tokens = folder.Write("ids.json", ids["ids"].dump());
  EXPECT_EQ(ExpectJson(RunFlashmoe({"eval", "--tokens", tokens, "--json"})), by_text);
  const std::string object = folder.Write("object.json", ids.dump());
  EXPECT_EQ(ExpectJson(RunFlashmoe({"eval", "--tokens", object, "--json"})), by_text);
  EXPECT_EQ(ExpectJson(RunFlashmoe({"eval", "--text", "-", "--json"}, {.input = kText})), by_text);
  for (size_t i = 0; i < ids["ids"].size(); ++i) {
    EXPECT_EQ(by_text["positions"][i]["token"], ids["ids"][i]);
  }
}

TEST(EvalTest, SumsUp) {
  const Folder folder;
  const std::string text = folder.Write("text", kText);
  const json j = ExpectJson(RunFlashmoe({"eval", "--text", text, "--top-logprobs", "3", "--json"}));
  const json& positions = j["positions"];
  double sum = 0;
  for (size_t i = 0; i < positions.size(); ++i) {
    const json& top = positions[i]["top"];
    ASSERT_EQ(top.size(), 3u);
    EXPECT_GE(top[0][1], top[1][1]);
    EXPECT_GE(top[1][1], top[2][1]);
    EXPECT_LE(top[0][1], 0);
    if (i + 1 == positions.size()) {
      EXPECT_TRUE(positions[i]["logprob"].is_null());
      break;
    }
    sum += positions[i]["logprob"].get<double>();
    for (const json& candidate : top) {
      if (candidate[0] == positions[i + 1]["token"]) {
        EXPECT_EQ(candidate[1], positions[i]["logprob"]);
      }
    }
  }
  EXPECT_NEAR(j["nll"], -sum, 1e-9);
  const auto predicted = static_cast<double>(positions.size()) - 1;
  EXPECT_NEAR(j["perplexity"], std::exp(-sum / predicted), 1e-9);
}

TEST(EvalTest, TextOutputIsOneLine) {
  const ProcessResult r = RunFlashmoe({"eval", "--text", "-"}, {.input = kText});
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_EQ(r.err, "");
  EXPECT_THAT(r.out, testing::ContainsRegex("^[0-9]+ tokens, negative log-likelihood [0-9.]+, "
                                            "perplexity [0-9.]+\n$"));
}

TEST(EvalTest, BadTokensAreRefused) {
  const Folder folder;
  const std::string deep(100'000, '[');
  for (const std::string& content :
       {std::string("{}"), std::string("not json"), std::string("[1, -2]"), std::string("[1.5]"),
        std::string("[99999999999]"), std::string("[8192]"), std::string("[]"),
        std::string(R"(["a"])"), std::string(), deep}) {
    const std::string file = folder.Write("t.json", content);
    SCOPED_TRACE(content.substr(0, 40));
    ExpectRefusal(RunFlashmoe({"eval", "--tokens", file}));
  }
}

TEST(InfoTest, JsonHasGeometryRolesAndSizes) {
  const json j = ExpectJson(RunFlashmoe({"info", "--json"}));
  EXPECT_EQ(j["geometry"]["architecture"], "qwen35moe");
  EXPECT_EQ(j["geometry"]["layers"], 8);
  EXPECT_EQ(j["geometry"]["attention_layers"], 2);
  EXPECT_EQ(j["geometry"]["experts"], 20);
  EXPECT_EQ(j["geometry"]["experts_per_token"], 4);
  uint64_t roles = 0;
  for (const auto& [role, share] : j["roles"].items()) {
    uint64_t types = 0;
    for (const auto& [type, bytes] : share["types"].items()) types += bytes.get<uint64_t>();
    EXPECT_EQ(share["bytes"], types) << role;
    roles += types;
  }
  const json& bytes = j["bytes"];
  EXPECT_LT(roles, bytes["file"]);
  EXPECT_GT(roles, bytes["file"].get<uint64_t>() * 9 / 10);
  EXPECT_EQ(bytes["experts"], j["roles"]["experts"]["bytes"]);
  EXPECT_EQ(bytes["experts_per_token"].get<uint64_t>() * 5, bytes["experts"]);  // 4 of 20
  EXPECT_GT(j["state"]["fixed_bytes"], 0);
  EXPECT_GT(j["state"]["bytes_per_position"], 0);
}

TEST(InfoTest, TextNamesTheSame) {
  const ProcessResult r = RunFlashmoe({"info"});
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_EQ(r.err, "");
  for (const char* part : {"qwen35moe", "20 a layer, 4 a token", "Q4_K", "a token's experts",
                           "kept in memory", "8192 rows"}) {
    EXPECT_THAT(r.out, HasSubstr(part));
  }
}

TEST(TokenizeTest, RoundTrip) {
  const std::string text = "  Hello, w\xC3\xB6rld! \xE4\xBD\xA0\xE5\xA5\xBD \xF0\x9F\x98\x80\n\t x";
  for (const std::string& model : {Ember(), kVocabulary}) {
    const ProcessResult r = RunFlashmoe({"tokenize", "-m", model}, {.input = text});
    EXPECT_EQ(r.exit_code, 0) << r.err;
    const ProcessResult back = RunFlashmoe({"tokenize", "-m", model, "--decode", r.out});
    EXPECT_EQ(back.out, text + "\n");
    const json j = ExpectJson(RunFlashmoe({"tokenize", "-m", model, "-p", text, "--json"}));
    const json array =
        ExpectJson(RunFlashmoe({"tokenize", "-m", model, "--decode", j["ids"].dump(), "--json"}));
    EXPECT_EQ(array["text"], text);
  }
}

TEST(TokenizeTest, SpecialTokensAreOneIdUnlessAskedOtherwise) {
  const auto ids = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"tokenize", "-m", kVocabulary, "-p", "<|im_start|>hi", "--json"});
    return ExpectJson(RunFlashmoe(more))["ids"];
  };
  const json special = ids({});
  EXPECT_EQ(special.size(), 2u);
  EXPECT_GT(ids({"--no-special"}).size(), 4u);
  const std::string list = special.dump();
  EXPECT_EQ(RunFlashmoe({"tokenize", "-m", kVocabulary, "--decode", list}).out, "<|im_start|>hi\n");
  EXPECT_EQ(RunFlashmoe({"tokenize", "-m", kVocabulary, "--decode", list, "--no-special"}).out,
            "hi\n");
}

TEST(TokenizeTest, EmptyTextAndBadIds) {
  EXPECT_EQ(RunFlashmoe({"tokenize", "-p", ""}).out, "\n");
  EXPECT_EQ(ExpectJson(RunFlashmoe({"tokenize", "-p", "", "--json"}))["ids"], json::array());
  for (const char* ids : {"1,x", "-1", "99999999999", "1.5"}) {
    ExpectRefusal(RunFlashmoe({"tokenize", "--decode=" + std::string(ids)}));
  }
}

TEST(PromptTest, RendersThePublishedTemplates) {
  const Folder folder;
  for (const char* name : {"Qwen-Qwen3-0.6B", "Qwen3-Coder", "Qwen3.5-4B"}) {
    const std::string stem = FLASHMOE_TEST_DATA "/chat/" + std::string(name);
    const auto cases = nlohmann::ordered_json::parse(ReadFile(stem + ".cases.json"))["cases"];
    ASSERT_FALSE(cases.empty());
    for (size_t i = 0; i < std::min<size_t>(cases.size(), 4); ++i) {
      if (!cases[i].contains("expected")) continue;
      const std::string request = folder.Write("request.json", cases[i]["input"].dump());
      const ProcessResult r =
          RunFlashmoe({"prompt", "--template", stem + ".jinja", "--request", request});
      EXPECT_EQ(r.exit_code, 0) << r.err;
      EXPECT_EQ(r.out, cases[i]["expected"]) << name << " " << cases[i]["name"];
    }
  }
}

TEST(PromptTest, UsesTheBundledModelsTemplate) {
  const std::string request =
      R"({"messages":[{"role":"user","content":"Hi"}],"enable_thinking":false,)"
      R"("add_generation_prompt":true})";
  const ProcessResult r = RunFlashmoe({"prompt", "--request", "-"}, {.input = request});
  EXPECT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(r.out,
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n");
}

TEST(PromptTest, BadRequestsAndTemplatesAreRefused) {
  const Folder folder;
  const auto render = [&](const std::string& jinja, const std::string& request) {
    return ExpectRefusal(RunFlashmoe({"prompt", "--template", folder.Write("t", jinja), "--request",
                                      folder.Write("r", request)}));
  };
  const std::string messages = R"({"messages":[]})";
  EXPECT_THAT(render("x", "[]"), HasSubstr("JSON object"));
  EXPECT_THAT(render("x", ""), HasSubstr("malformed JSON"));
  EXPECT_THAT(render("x", messages + std::string("\0x", 2)), HasSubstr("a NUL"));
  EXPECT_THAT(render("x", R"({"a":)" + std::string(100'000, '[')), HasSubstr("deep"));
  EXPECT_THAT(render("{% if %}", messages), HasSubstr("t"));
  EXPECT_THAT(render("{{ raise_exception('no users here') }}", messages),
              HasSubstr("no users here"));
  render("{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
         messages);
  render("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", messages);
  render("{{ " + std::string(200'000, '(') + " }}", messages);
}

}  // namespace
}  // namespace flashmoe::e2e
