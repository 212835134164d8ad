#include "api/models_list.h"

#include <fmt/format.h>

#include <ctime>

#include "text/ordered_json.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

// RFC 3339, in UTC.
std::string TimeText(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

// OpenAI's members, then Anthropic's.
Json CardJson(const ModelCard& model) {
  Json json{{"id", model.id},
            {"object", "model"},
            {"created", model.created_s},
            {"owned_by", "flashmoe"},
            {"type", "model"},
            {"display_name", model.id},
            {"created_at", TimeText(model.created_s)}};
  if (model.context_tokens > 0) json["context_length"] = model.context_tokens;
  return json;
}

}  // namespace

std::string ModelsBody(std::span<const ModelCard> models) {
  Json data = Json::array();
  for (const ModelCard& model : models) data.push_back(CardJson(model));
  Json json{{"object", "list"},
            {"data", std::move(data)},
            {"has_more", false},
            {"first_id", nullptr},
            {"last_id", nullptr}};
  if (!models.empty()) {
    json["first_id"] = models.front().id;
    json["last_id"] = models.back().id;
  }
  return DumpJson(json);
}

std::string ModelBody(const ModelCard& model) { return DumpJson(CardJson(model)); }

}  // namespace flashmoe
