#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "text/tokenizer.h"

namespace flashmoe {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

json Valid() {
  return json::parse(R"j({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 4, "content": "<s>", "special": true, "rstrip": true,
                      "lstrip": false, "normalized": false, "single_word": false}],
    "normalizer": {"type": "NFC"},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Split", "behavior": "Isolated", "invert": false, "pattern": {"Regex":
       "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N})j"
                          R"j(| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
      {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false,
       "use_regex": false}]},
    "post_processor": {"type": "ByteLevel"},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "byte_fallback": false,
              "continuing_subword_prefix": "", "end_of_word_suffix": null,
              "vocab": {"a": 0, "b": 1, "ab": 3}, "merges": [["a", "b"]]}
  })j");
}

Result<TokenizerSpec> Parse(const json& value) { return ParseTokenizerJson(value.dump()); }

std::string ErrorOf(std::string_view text, ErrorCode code) {
  const Result<TokenizerSpec> spec = ParseTokenizerJson(text);
  EXPECT_FALSE(spec.has_value()) << text;
  if (spec.has_value()) return "";
  EXPECT_EQ(spec.error().code, code);
  EXPECT_EQ(spec.error().where, "tokenizer.json");
  return spec.error().ToString();
}

// The error after `change` at `pointer`.
std::string ErrorWith(const char* pointer, json change, ErrorCode code = ErrorCode::kUnsupported) {
  json value = Valid();
  value[json::json_pointer(pointer)] = std::move(change);
  return ErrorOf(value.dump(), code);
}

TEST(TokenizerJson, ReadsAVocabulary) {
  const Result<TokenizerSpec> spec = Parse(Valid());
  ASSERT_TRUE(spec.has_value()) << spec.error().ToString();
  EXPECT_THAT(spec->tokens, ElementsAre("a", "b", "", "ab"));
  EXPECT_THAT(spec->merges, ElementsAre(Pair("a", "b")));
  ASSERT_EQ(spec->added.size(), 1u);
  EXPECT_EQ(spec->added[0].id, 4);
  EXPECT_EQ(spec->added[0].text, "<s>");
  EXPECT_TRUE(spec->added[0].special);
  EXPECT_TRUE(spec->added[0].rstrip);
  EXPECT_FALSE(spec->added[0].lstrip);
  EXPECT_EQ(spec->pre, PreTokenizer::kQwen2);
  EXPECT_TRUE(spec->nfc);
  EXPECT_FALSE(spec->ignore_merges);
}

TEST(TokenizerJson, ReadsOtherForms) {
  json value = Valid();
  value["model"]["merges"] = {"#version: 0.2", "a b"};
  value["model"]["ignore_merges"] = true;
  value["model"].erase("type");
  value["normalizer"] = nullptr;
  value.erase("added_tokens");
  value["decoder"] = nullptr;
  Result<TokenizerSpec> spec = Parse(value);
  ASSERT_TRUE(spec.has_value()) << spec.error().ToString();
  EXPECT_THAT(spec->merges, ElementsAre(Pair("a", "b")));
  EXPECT_TRUE(spec->ignore_merges);
  EXPECT_FALSE(spec->nfc);

  value["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}};
  spec = Parse(value);
  ASSERT_TRUE(spec.has_value()) << spec.error().ToString();
  EXPECT_TRUE(spec->nfc);
}

TEST(TokenizerJson, NamesWhatIsUnsupported) {
  EXPECT_THAT(ErrorWith("/model/type", "Unigram"), HasSubstr("model type 'Unigram'"));
  EXPECT_THAT(ErrorWith("/normalizer/type", "NFKC"), HasSubstr("normalizer 'NFKC'"));
  EXPECT_THAT(ErrorWith("/decoder/type", "Metaspace"), HasSubstr("decoder 'Metaspace'"));
  EXPECT_THAT(ErrorWith("/pre_tokenizer", {{"type", "Metaspace"}}), HasSubstr("'Metaspace'"));
  EXPECT_THAT(ErrorWith("/pre_tokenizer", nullptr), HasSubstr("pre-tokenizer"));
  EXPECT_THAT(ErrorWith("/pre_tokenizer/pretokenizers/0/pattern/Regex", "\\w+|\\W+"),
              HasSubstr("pre-tokenizer pattern '\\w+|\\W+'"));
  EXPECT_THAT(ErrorWith("/pre_tokenizer/pretokenizers/0/pattern", {{"String", " "}}),
              HasSubstr("pre-tokenizer pattern"));
  EXPECT_THAT(ErrorWith("/pre_tokenizer/pretokenizers/0/behavior", "Removed"),
              HasSubstr("Isolated"));
  EXPECT_THAT(ErrorWith("/pre_tokenizer/pretokenizers/0/invert", true), HasSubstr("Isolated"));
  EXPECT_THAT(ErrorWith("/pre_tokenizer/pretokenizers/1/use_regex", true), HasSubstr("use_regex"));
  EXPECT_THAT(ErrorWith("/pre_tokenizer/pretokenizers/1/add_prefix_space", true),
              HasSubstr("add_prefix_space"));
  EXPECT_THAT(ErrorWith("/model/byte_fallback", true), HasSubstr("byte_fallback"));
  EXPECT_THAT(ErrorWith("/model/dropout", 0.1), HasSubstr("dropout"));
  EXPECT_THAT(ErrorWith("/model/end_of_word_suffix", "</w>"), HasSubstr("end_of_word_suffix"));
}

TEST(TokenizerJson, RefusesWhatIsMalformed) {
  constexpr auto kInvalid = ErrorCode::kInvalidInput;
  EXPECT_THAT(ErrorOf("", kInvalid), HasSubstr("not valid JSON"));
  EXPECT_THAT(ErrorOf("{\"model\": ", kInvalid), HasSubstr("not valid JSON at byte"));
  EXPECT_THAT(ErrorOf(std::string_view("{}\0x", 4), kInvalid), HasSubstr("at byte 2: a NUL"));
  EXPECT_THAT(ErrorOf("[]", kInvalid), HasSubstr("no model"));
  EXPECT_THAT(ErrorOf("7", kInvalid), HasSubstr("no model"));
  EXPECT_THAT(ErrorWith("/model", 7, kInvalid), HasSubstr("no model"));
  EXPECT_THAT(ErrorWith("/model/vocab", json::object(), kInvalid), HasSubstr("model.vocab"));
  EXPECT_THAT(ErrorWith("/model/vocab", {"a"}, kInvalid), HasSubstr("model.vocab"));
  EXPECT_THAT(ErrorWith("/model/vocab/b", 0, kInvalid), HasSubstr("token id 0 is given to"));
  EXPECT_THAT(ErrorWith("/model/vocab/b", -1, kInvalid), HasSubstr("'b' is not a valid number"));
  EXPECT_THAT(ErrorWith("/model/vocab/b", 1.5, kInvalid), HasSubstr("'b' is not a valid number"));
  EXPECT_THAT(ErrorWith("/model/vocab/b", 1u << 21, kInvalid), HasSubstr("2097152 is above"));
  EXPECT_THAT(ErrorWith("/model/vocab/b", {{"id", 1}}, kInvalid), HasSubstr("nested"));
  EXPECT_THAT(ErrorWith("/model/vocab/", 7, kInvalid), HasSubstr("token 7 is empty"));
  EXPECT_THAT(ErrorWith("/model/merges/0", {"a"}, kInvalid), HasSubstr("merge 0 is not a pair"));
  EXPECT_THAT(ErrorWith("/model/merges/0", {"a", "b", "c"}, kInvalid), HasSubstr("merge 0"));
  EXPECT_THAT(ErrorWith("/model/merges/0", "a b c", kInvalid), HasSubstr("merge 0"));
  EXPECT_THAT(ErrorWith("/model/merges/0", "ab", kInvalid), HasSubstr("merge 0"));
  EXPECT_THAT(ErrorWith("/model/merges/0", 7, kInvalid), HasSubstr("other than strings"));
  EXPECT_THAT(ErrorWith("/model/merges/0", json::object(), kInvalid), HasSubstr("nested"));
  EXPECT_THAT(ErrorWith("/added_tokens", 7, kInvalid), HasSubstr("added_tokens is not an array"));
  EXPECT_THAT(ErrorWith("/added_tokens/0/id", -4, kInvalid), HasSubstr("added_tokens[0]"));
  EXPECT_THAT(ErrorWith("/added_tokens/0/content", 4, kInvalid), HasSubstr("added_tokens[0]"));
  EXPECT_THAT(ErrorWith("/added_tokens/0", "<s>", kInvalid), HasSubstr("added_tokens[0]"));
}

TEST(TokenizerJson, BoundsWhatItBuilds) {
  constexpr auto kInvalid = ErrorCode::kInvalidInput;
  EXPECT_THAT(ErrorOf(std::string(1'000'000, '['), kInvalid), HasSubstr("too deeply"));
  std::string many = "[0";
  for (int i = 0; i < 1'000'000; ++i) many += ",0";
  EXPECT_THAT(ErrorOf(many + "]", kInvalid), HasSubstr("too many values"));
  EXPECT_THAT(ErrorOf(R"({"model": {"vocab": {"a": 0}, "vocab": {"b": 0}}})", kInvalid),
              HasSubstr("model.vocab stands there twice"));
}

}  // namespace
}  // namespace flashmoe
