// Any bytes as a chat request, rendered with a template like those of the models.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "text/chat_template.h"

namespace {

// Reads what chat templates read, the paths that requests can steer first.
constexpr std::string_view kTemplate = R"(
{%- macro show(content) -%}
  {%- if content is string %}{{ content }}
  {%- elif content is iterable and content is not mapping -%}
    {%- for item in content -%}
      {%- if 'image' in item or item.type == 'image' %}<image>
      {%- elif 'text' in item %}{{ item.text }}
      {%- else %}{{ raise_exception('Unexpected item type in content.') }}{% endif -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
{%- if tools and tools is iterable and tools is not mapping -%}
  {%- for tool in tools %}{{ tool | tojson(indent=1, sort_keys=true) }}{% endfor -%}
{%- endif -%}
{%- for message in messages[::-1] %}{{ loop.revindex }}{{ message.role }}{% endfor -%}
{%- for message in messages -%}
  {%- set content = show(message.content) | trim -%}
  {%- if message.role == 'system' and not loop.first %}{{ raise_exception('late') }}{% endif -%}
  {{- message.role ~ content.split('</think>')[-1].lstrip('\n') -}}
  {%- for call in message.tool_calls or [] -%}
    {%- if call.function is defined %}{% set call = call.function %}{% endif -%}
    {{- call.name -}}
    {%- for name, value in call.arguments | items -%}
      {{- name }}={{ value | tojson if value is mapping or value is sequence else value | string -}}
    {%- endfor -%}
  {%- endfor -%}
  {%- if loop.previtem and loop.previtem.role != message.role %}|{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt and enable_thinking is defined %}{{ enable_thinking }}{% endif -%}
{{- messages | map(attribute='role') | select('string') | unique | sort | join(',') -}}
)";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const chat =
      new flashmoe::Result<flashmoe::ChatTemplate>(flashmoe::ChatTemplate::Parse(kTemplate));
  FM_CHECK(chat->has_value());
  const auto request = nlohmann::ordered_json::parse(data, data + size, nullptr, false);
  if (request.is_discarded()) return 0;
  flashmoe::TemplateLimits limits;
  limits.steps = 100'000;
  limits.output_bytes = 1 << 18;
  limits.value_bytes = 4 << 20;
  const auto output = (*chat)->Render(request, limits);
  FM_CHECK(output.has_value() || !output.error().what.empty());
  return 0;
}
