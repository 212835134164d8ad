#include "serve/text_endpoints.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "format/json_text.h"
#include "serve/answer_flow.h"

namespace flashmoe {
namespace {

using Json = nlohmann::json;

// Null where it is no JSON object.
Json ParseObject(const std::string& body) { return ParseJsonObject(body, {}).value_or(Json()); }

void SendJson(http::Exchange& exchange, const Json& json) {
  http::Response response;
  response.body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  exchange.Send(std::move(response));
}

void SendInvalid(http::Exchange& exchange, std::string what, std::string where = {}) {
  SendError(exchange, ApiStyle::kOpenAi,
            {ErrorCode::kInvalidInput, std::move(what), std::move(where), {}, 0});
}

}  // namespace

void Tokenize(const TextModel& text, http::Exchange& exchange) {
  const Json json = ParseObject(exchange.TakeBody());
  if (!json.contains("content") || !json["content"].is_string()) {
    return SendInvalid(exchange, R"(give the text: {"content": "..."})", "content");
  }
  if (json.contains("add_special") && !json["add_special"].is_boolean()) {
    return SendInvalid(exchange, "this is true or false", "add_special");
  }
  const std::string content = json["content"];
  const bool add_special = json.value("add_special", false);
  SendJson(exchange,
           {{"tokens", add_special ? text.Encode(content) : text.tokenizer.Encode(content)}});
}

void Detokenize(const TextModel& text, http::Exchange& exchange) {
  const Json json = ParseObject(exchange.TakeBody());
  if (!json.contains("tokens") || !json["tokens"].is_array()) {
    return SendInvalid(exchange, R"(give the ids: {"tokens": [1, 2, 3]})", "tokens");
  }
  std::vector<int32_t> ids;
  for (const Json& id : json["tokens"]) {
    if (!id.is_number_integer() || id < 0 || id >= text.tokenizer.vocab_size()) {
      return SendInvalid(exchange, fmt::format("{} is no token id", id.dump()),
                         fmt::format("tokens[{}]", ids.size()));
    }
    ids.push_back(id.get<int32_t>());
  }
  SendJson(exchange, {{"content", text.tokenizer.Decode(ids)}});
}

}  // namespace flashmoe
