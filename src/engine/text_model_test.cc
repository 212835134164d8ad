#include "engine/text_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format/gguf_writer.h"
#include "format/test_support.h"

namespace flashmoe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
using Strings = std::vector<std::string>;

constexpr char kTiny[] = FLASHMOE_TEST_DATA "/models/tiny-random";

// A vocabulary of four letters, one merge and two added tokens; no weights.
struct Vocabulary {
  std::string architecture = "llama";
  std::string model = "gpt2";
  std::string pre = "qwen2";
  Strings tokens = {"a", "b", "c", "ab", "<|im_end|>", "<tool>"};
  std::vector<int32_t> types = {1, 1, 1, 1, 3, 4};
  Strings merges = {"a b"};

  GgufWriter Writer() const {
    GgufWriter writer;
    writer.Add("general.architecture", architecture);
    writer.Add("tokenizer.ggml.model", model);
    writer.Add("tokenizer.ggml.pre", pre);
    writer.Add("tokenizer.ggml.tokens", tokens);
    writer.Add("tokenizer.ggml.token_type", types);
    writer.Add("tokenizer.ggml.merges", merges);
    return writer;
  }
};

class TextModelTest : public testing::Test {
 protected:
  std::unique_ptr<ModelFile> Open(const GgufWriter& writer) {
    const std::string path = folder_.File("vocabulary.gguf");
    EXPECT_TRUE(writer.WriteFile(path).has_value());
    auto file = ModelFile::Open(path);
    EXPECT_TRUE(file.has_value()) << ErrorOf(file);
    return std::move(*file);
  }
  TextModel Load(const GgufWriter& writer) {
    auto text = LoadTextModel(*Open(writer));
    EXPECT_TRUE(text.has_value()) << ErrorOf(text);
    return std::move(*text);
  }
  std::string Refusal(const Vocabulary& vocabulary) {
    return ErrorOf(LoadTokenizer(*Open(vocabulary.Writer())));
  }

  TestFolder folder_;
};

TEST_F(TextModelTest, VocabularyAloneOfAnyArchitecture) {
  const TextModel text = Load(Vocabulary().Writer());
  EXPECT_THAT(text.Encode("abc<tool>ba<|im_end|>"), ElementsAre(3, 2, 5, 1, 0, 4));
  EXPECT_FALSE(text.chat_template.has_value());
  EXPECT_FALSE(text.bos.has_value());
  EXPECT_TRUE(text.tokenizer.IsSpecial(4));
  EXPECT_FALSE(text.tokenizer.IsSpecial(5));
  // The family's end of turn, although the metadata names no stop token.
  EXPECT_THAT(text.stop_tokens, ElementsAre(4));
}

TEST_F(TextModelTest, ReadsStopTokensBosSamplingAndTemplate) {
  GgufWriter writer = Vocabulary().Writer();
  writer.Add("tokenizer.ggml.eos_token_id", uint32_t{2});
  writer.Add("tokenizer.ggml.eot_token_id", uint32_t{4000});  // no such token
  writer.Add("tokenizer.ggml.bos_token_id", uint32_t{5});
  writer.Add("tokenizer.ggml.add_bos_token", true);
  writer.Add("tokenizer.chat_template", std::string("{{ messages[0].content }}!"));
  writer.Add("general.sampling.temp", 0.25f);
  writer.Add("general.sampling.top_k", int32_t{7});
  const TextModel text = Load(writer);
  EXPECT_THAT(text.stop_tokens, UnorderedElementsAre(2, 4));
  EXPECT_THAT(text.Encode("a"), ElementsAre(5, 0));
  EXPECT_EQ(text.sampling.temperature, 0.25f);
  EXPECT_EQ(text.sampling.top_k, 7);
  EXPECT_EQ(text.sampling.top_p, 0.8f);  // the family's
  ASSERT_TRUE(text.chat_template.has_value());
  const auto prompt =
      text.chat_template->Render({{"messages", {{{"role", "user"}, {"content", "hi"}}}}});
  EXPECT_EQ(prompt.value_or(""), "hi!");
}

TEST_F(TextModelTest, SamplingThatIsOutOfRangeIsNotTaken) {
  GgufWriter writer = Vocabulary().Writer();
  writer.Add("general.sampling.temp", -3.0f);
  writer.Add("general.sampling.top_p", 5.0f);
  const TextModel text = Load(writer);
  EXPECT_EQ(text.sampling.temperature, 0.7f);
  EXPECT_EQ(text.sampling.top_p, 0.8f);
}

TEST_F(TextModelTest, DamagedVocabulariesAreRefused) {
  Vocabulary v;
  v.model = "llama";
  EXPECT_THAT(Refusal(v), HasSubstr("'llama'"));
  v = {};
  v.pre = "gpt-4o";
  EXPECT_THAT(Refusal(v), HasSubstr("'gpt-4o'"));
  v = {};
  v.types.pop_back();
  EXPECT_THAT(Refusal(v), HasSubstr("6 tokens but 5 token types"));
  v = {};
  v.merges = {"ab"};
  EXPECT_THAT(Refusal(v), HasSubstr("'ab'"));
  v = {};
  v.merges = {"a c"};  // gives a token that does not exist
  EXPECT_NE(Refusal(v), "");
  GgufWriter nothing;
  nothing.Add("general.architecture", std::string("qwen35moe"));
  EXPECT_NE(ErrorOf(LoadTextModel(*Open(nothing))), "");
}

TEST_F(TextModelTest, TemplateThatDoesNotParseIsAnError) {
  GgufWriter writer = Vocabulary().Writer();
  writer.Add("tokenizer.chat_template", std::string("{% for %}"));
  EXPECT_NE(ErrorOf(LoadTextModel(*Open(writer))), "");
  EXPECT_EQ(ErrorOf(LoadTokenizer(*Open(writer))), "");
}

TEST_F(TextModelTest, ReadsHuggingFaceFolders) {
  const auto file = ModelFile::Open(kTiny);
  ASSERT_TRUE(file.has_value()) << ErrorOf(file);
  const auto text = LoadTextModel(**file);
  ASSERT_TRUE(text.has_value()) << ErrorOf(text);
  EXPECT_THAT(text->stop_tokens, UnorderedElementsAre(503, 505));
  EXPECT_TRUE(text->chat_template.has_value());
  EXPECT_FALSE(text->bos.has_value());
  EXPECT_EQ(text->tokenizer.Decode(text->Encode("a test<|im_end|>")), "a test<|im_end|>");
  EXPECT_EQ(text->Encode("<|im_end|>"), std::vector<int32_t>{505});
}

}  // namespace
}  // namespace flashmoe
