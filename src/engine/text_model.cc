#include "engine/text_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "format/json_text.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

using nlohmann::json;

// tokenizer.ggml.token_type
constexpr int kControl = 3;
constexpr int kUserDefined = 4;
constexpr int kUnused = 5;

std::unexpected<Error> BadVocabulary(const ModelFile& file, const std::string& problem) {
  return InvalidInput("the vocabulary " + problem, file.path(),
                      "the file is damaged or not a language model");
}

std::string StringAt(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

Result<PreTokenizer> PreTokenizerOf(const ModelFile& file) {
  const std::string model = StringAt(file.metadata(), "tokenizer.ggml.model");
  const std::string pre = StringAt(file.metadata(), "tokenizer.ggml.pre");
  if (model != "gpt2") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("tokenizer model {} is not supported", QuoteText(model)), file.path(),
                "supported is byte-level BPE ('gpt2')");
  }
  if (pre == "qwen35") return PreTokenizer::kQwen35;
  if (pre == "qwen2") return PreTokenizer::kQwen2;
  return Fail(ErrorCode::kUnsupported,
              fmt::format("pre-tokenizer {} is not supported", QuoteText(pre)), file.path(),
              "supported are 'qwen2' and 'qwen35'");
}

Result<TokenizerSpec> GgufSpec(const ModelFile& file) {
  const json& metadata = file.metadata();
  TokenizerSpec spec;
  FM_ASSIGN_OR_RETURN(spec.pre, PreTokenizerOf(file));
  const auto tokens = metadata.find("tokenizer.ggml.tokens");
  const auto merges = metadata.find("tokenizer.ggml.merges");
  const auto types = metadata.find("tokenizer.ggml.token_type");
  if (tokens == metadata.end() || !tokens->is_array()) return BadVocabulary(file, "is missing");
  if (merges == metadata.end() || !merges->is_array()) return BadVocabulary(file, "has no merges");
  const bool typed = types != metadata.end() && types->is_array();
  if (typed && types->size() != tokens->size()) {
    return BadVocabulary(
        file, fmt::format("has {} tokens but {} token types", tokens->size(), types->size()));
  }
  spec.tokens.reserve(tokens->size());
  for (size_t id = 0; id < tokens->size(); ++id) {
    if (!(*tokens)[id].is_string()) return BadVocabulary(file, "holds a token that is no text");
    const auto& text = (*tokens)[id].get_ref<const std::string&>();
    const int type = typed && (*types)[id].is_number_integer() ? (*types)[id].get<int>() : 1;
    if (type == kControl || type == kUserDefined) {
      spec.added.push_back(
          {.id = static_cast<int32_t>(id), .text = text, .special = type == kControl});
    }
    spec.tokens.push_back(type == kUnused ? std::string() : text);
  }
  spec.merges.reserve(merges->size());
  for (const json& merge : *merges) {
    if (!merge.is_string()) return BadVocabulary(file, "holds a merge that is no text");
    const auto& text = merge.get_ref<const std::string&>();
    const size_t space = text.find(' ', 1);
    if (space == std::string::npos) {
      return BadVocabulary(file,
                           fmt::format("holds a merge {} that is not a pair", QuoteText(text)));
    }
    spec.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
  }
  return spec;
}

Result<json> ParseSideFile(const std::string& text, const char* name, const ModelFile& file) {
  if (text.empty()) return json::object();
  auto parsed = ParseJsonObject(text, file.path());
  if (!parsed.has_value()) {
    return InvalidInput(fmt::format("{}: {}", name, parsed.error().what), file.path(),
                        "download the file again");
  }
  return parsed;
}

void AddStop(const Tokenizer& tokenizer, int64_t id, std::vector<int32_t>& stops) {
  if (id < 0 || id >= tokenizer.vocab_size()) return;
  const auto token = static_cast<int32_t>(id);
  if (std::find(stops.begin(), stops.end(), token) == stops.end()) stops.push_back(token);
}

void AddStops(const Tokenizer& tokenizer, const json& value, std::vector<int32_t>& stops) {
  if (value.is_number_integer()) AddStop(tokenizer, value.get<int64_t>(), stops);
  if (!value.is_array()) return;
  for (const json& item : value) {
    if (item.is_number_integer()) AddStop(tokenizer, item.get<int64_t>(), stops);
  }
}

// What a chat ends with in every model of the family, whatever the metadata forgot to say.
void AddFamilyStops(const Tokenizer& tokenizer, std::vector<int32_t>& stops) {
  for (const char* text : {"<|im_end|>", "<|endoftext|>"}) {
    if (const auto id = tokenizer.Find(text); id && tokenizer.IsAdded(*id)) {
      AddStop(tokenizer, *id, stops);
    }
  }
}

void ReadFloat(const json& object, const char* key, float& out) {
  const auto it = object.find(key);
  if (it != object.end() && it->is_number()) out = it->get<float>();
}

void ReadInt(const json& object, const char* key, int32_t& out) {
  const auto it = object.find(key);
  if (it != object.end() && it->is_number()) {
    out = static_cast<int32_t>(std::clamp(it->get<double>(), 0.0, 1e6));
  }
}

// What Qwen advises for answers without thinking, for files that say nothing.
SamplingParams FamilySampling() {
  SamplingParams p;
  p.temperature = 0.7f;
  p.top_k = 20;
  p.top_p = 0.8f;
  return p;
}

void ReadGguf(const ModelFile& file, TextModel& text) {
  const json& m = file.metadata();
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    if (const auto it = m.find(key); it != m.end()) AddStops(text.tokenizer, *it, text.stop_tokens);
  }
  const auto add_bos = m.find("tokenizer.ggml.add_bos_token");
  const auto bos = m.find("tokenizer.ggml.bos_token_id");
  if (add_bos != m.end() && add_bos->is_boolean() && add_bos->get<bool>() && bos != m.end() &&
      bos->is_number_unsigned() && bos->get<uint64_t>() < uint64_t(text.tokenizer.vocab_size())) {
    text.bos = bos->get<int32_t>();
  }
  ReadFloat(m, "general.sampling.temp", text.sampling.temperature);
  ReadInt(m, "general.sampling.top_k", text.sampling.top_k);
  ReadFloat(m, "general.sampling.top_p", text.sampling.top_p);
  ReadFloat(m, "general.sampling.min_p", text.sampling.min_p);
  ReadFloat(m, "general.sampling.penalty_repeat", text.sampling.repetition_penalty);
}

Status ReadHf(const ModelFile& file, TextModel& text) {
  FM_ASSIGN_OR_RETURN(const json generation,
                      ParseSideFile(file.generation_config_json(), "generation_config.json", file));
  if (const auto it = generation.find("eos_token_id"); it != generation.end()) {
    AddStops(text.tokenizer, *it, text.stop_tokens);
  }
  ReadFloat(generation, "temperature", text.sampling.temperature);
  ReadInt(generation, "top_k", text.sampling.top_k);
  ReadFloat(generation, "top_p", text.sampling.top_p);
  ReadFloat(generation, "min_p", text.sampling.min_p);
  ReadFloat(generation, "repetition_penalty", text.sampling.repetition_penalty);
  const auto sample = generation.find("do_sample");
  if (sample != generation.end() && sample->is_boolean() && !sample->get<bool>()) {
    text.sampling.temperature = 0.0f;
  }
  return {};
}

}  // namespace

std::vector<int32_t> TextModel::Encode(std::string_view text, std::span<const size_t> plain) const {
  std::vector<int32_t> ids = plain.empty() ? tokenizer.Encode(text) : tokenizer.Encode(text, plain);
  if (bos) ids.insert(ids.begin(), *bos);
  return ids;
}

Result<Tokenizer> LoadTokenizer(const ModelFile& file) {
  TokenizerSpec spec;
  if (file.container() == Container::kGguf) {
    FM_ASSIGN_OR_RETURN(spec, GgufSpec(file));
  } else {
    if (file.tokenizer_json().empty()) {
      return Fail(ErrorCode::kNotFound, "there is no tokenizer.json", file.path(),
                  "download it into the model's folder");
    }
    FM_ASSIGN_OR_RETURN(spec, ParseTokenizerJson(file.tokenizer_json()));
  }
  auto tokenizer = Tokenizer::Create(std::move(spec));
  if (!tokenizer.has_value() && tokenizer.error().where.empty()) {
    tokenizer.error().where = file.path();
  }
  return tokenizer;
}

Result<ChatTemplate> LoadChatTemplate(const ModelFile& file) {
  const std::string source = file.container() == Container::kGguf
                                 ? StringAt(file.metadata(), "tokenizer.chat_template")
                                 : file.chat_template();
  if (source.empty()) {
    return Fail(ErrorCode::kNotFound, "the model has no chat template", file.path(),
                "use --raw, or give one with --template FILE");
  }
  return ChatTemplate::Parse(source);
}

Result<TextModel> LoadTextModel(const ModelFile& file) {
  FM_ASSIGN_OR_RETURN(Tokenizer tokenizer, LoadTokenizer(file));
  TextModel text{std::move(tokenizer), std::nullopt, {}, std::nullopt, FamilySampling()};
  auto chat = LoadChatTemplate(file);
  if (chat.has_value()) {
    text.chat_template = std::move(*chat);
  } else if (chat.error().code != ErrorCode::kNotFound) {
    return std::unexpected(std::move(chat).error());
  }
  if (file.container() == Container::kGguf) {
    ReadGguf(file, text);
  } else {
    FM_RETURN_IF_ERROR(ReadHf(file, text));
  }
  AddFamilyStops(text.tokenizer, text.stop_tokens);
  // Advice is no promise: what is out of range is put back to what the family uses.
  if (!Validate(text.sampling, text.tokenizer.vocab_size()).has_value()) {
    text.sampling = FamilySampling();
  }
  return text;
}

}  // namespace flashmoe
