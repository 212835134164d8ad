// flashmoe info: what a model file holds and what it will ask of the machine.
#include <fmt/format.h>

#include <map>

#include "apps/flashmoe/command_line.h"
#include "base/units.h"

namespace flashmoe::cli {
namespace {

struct InfoFlags {
  std::string model;
  bool json = false;
};

// Which part a tensor plays, by what its name contains; enough to add up bytes.
std::string RoleOf(const std::string& name) {
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  if (has("_exps") || has("mlp.experts.") || has("switch_mlp.")) return "experts";
  if (has("shexp") || has("shared_expert")) return "shared expert";
  if (has("ffn_gate_inp") || has("mlp.gate.")) return "router";
  if (has("token_embd") || has("embed_tokens")) return "embedding";
  if (name.rfind("output.", 0) == 0 || has("lm_head")) return "head";
  if (has("ssm_") || has("linear_attn") || has("attn_qkv") || has("attn_gate")) return "delta net";
  if (has("norm")) return "norms";
  if (has("attn")) return "attention";
  return "other";
}

struct Share {
  uint64_t bytes = 0;
  std::map<std::string, uint64_t> types;
};

std::map<std::string, Share> SharesByRole(const ModelFile& file) {
  std::map<std::string, Share> roles;
  for (const TensorInfo& tensor : file.tensors()) {
    Share& share = roles[RoleOf(tensor.name)];
    share.bytes += tensor.bytes;
    share.types[std::string(GetInfo(tensor.type).name)] += tensor.bytes;
  }
  return roles;
}

nlohmann::ordered_json GeometryToJson(const ModelConfig& c) {
  return {{"architecture", c.architecture},
          {"name", c.name},
          {"layers", c.layers},
          {"attention_layers", c.CountLayers(LayerKind::kAttention)},
          {"delta_net_layers", c.CountLayers(LayerKind::kDeltaNet)},
          {"hidden", c.hidden},
          {"vocabulary", c.vocab_rows},
          {"context_max", c.context_max},
          {"heads", c.heads},
          {"kv_heads", c.kv_heads},
          {"head_dim", c.head_dim},
          {"rotary_dims", c.rotary_dims},
          {"rope_theta", c.rope_theta},
          {"key_heads", c.key_heads},
          {"value_heads", c.value_heads},
          {"key_dim", c.key_dim},
          {"value_dim", c.value_dim},
          {"experts", c.experts},
          {"experts_per_token", c.experts_per_token},
          {"expert_width", c.expert_width},
          {"shared_expert_width", c.shared_expert_width}};
}

void PrintJsonInfo(const ModelFacts& facts, const std::map<std::string, Share>& roles) {
  nlohmann::ordered_json json = {{"geometry", GeometryToJson(facts.config)}};
  auto shares = nlohmann::ordered_json::object();
  for (const auto& [role, share] : roles) {
    shares[role] = {{"bytes", share.bytes}, {"types", share.types}};
  }
  json["roles"] = std::move(shares);
  json["bytes"] = {{"file", facts.file_bytes},
                   {"dense_resident", facts.dense_bytes},
                   {"experts", facts.expert_bytes_total},
                   {"expert", facts.expert_bytes},
                   {"experts_per_token", facts.expert_bytes_token},
                   {"expert_slot", facts.slot_bytes}};
  json["state"] = {{"fixed_bytes", facts.state_fixed_bytes},
                   {"bytes_per_position", facts.state_position_bytes}};
  PrintJson(json);
}

void PrintTextInfo(const ModelFile& file, const ModelFacts& facts,
                   const std::map<std::string, Share>& roles) {
  const ModelConfig& c = facts.config;
  Print(fmt::format("{}  {}{}{}\n", file.path(), c.architecture, c.name.empty() ? "" : ", ",
                    Printable(c.name)));
  Print(fmt::format("layers      {} ({} attention, {} delta net), hidden {}, context up to {}\n",
                    c.layers, c.CountLayers(LayerKind::kAttention),
                    c.CountLayers(LayerKind::kDeltaNet), c.hidden, c.context_max));
  Print(fmt::format("attention   {} heads of {}, {} key/value heads, {} rotary dimensions\n",
                    c.heads, c.head_dim, c.kv_heads, c.rotary_dims));
  if (c.value_heads > 0) {
    Print(fmt::format("delta net   {} key heads of {}, {} value heads of {}\n", c.key_heads,
                      c.key_dim, c.value_heads, c.value_dim));
  }
  Print(fmt::format("experts     {} a layer, {} a token, width {}, shared width {}\n", c.experts,
                    c.experts_per_token, c.expert_width, c.shared_expert_width));
  Print(fmt::format("vocabulary  {} rows\n\n", c.vocab_rows));
  for (const auto& [role, share] : roles) {
    std::string types;
    for (const auto& [type, bytes] : share.types) {
      types += fmt::format("{}{} {}", types.empty() ? "" : ", ", type, FormatBytes(bytes));
    }
    Print(fmt::format("{:<14}{:>10}  {}\n", role, FormatBytes(share.bytes), types));
  }
  Print(fmt::format("{:<14}{:>10}\n\n", "file", FormatBytes(facts.file_bytes)));
  Print(fmt::format("kept in memory      {} of weights\n", FormatBytes(facts.dense_bytes)));
  Print(fmt::format("an expert           {} ({} in memory)\n", FormatBytes(facts.expert_bytes),
                    FormatBytes(facts.slot_bytes)));
  Print(fmt::format("a token's experts   {}, of {} in all\n", FormatBytes(facts.expert_bytes_token),
                    FormatBytes(facts.expert_bytes_total)));
  Print(fmt::format("state               {} and {} a position\n",
                    FormatBytes(facts.state_fixed_bytes), FormatBytes(facts.state_position_bytes)));
}

Result<int> Info(const InfoFlags& flags) {
  FM_ASSIGN_OR_RETURN(std::unique_ptr<ModelFile> file, OpenModel(flags.model));
  FM_ASSIGN_OR_RETURN(const ModelFacts facts, Inspect(*file, 0, KvType::kF16));
  const auto roles = SharesByRole(*file);
  if (flags.json) {
    PrintJsonInfo(facts, roles);
  } else {
    PrintTextInfo(*file, facts, roles);
  }
  return 0;
}

}  // namespace

void AddInfo(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<InfoFlags>();
  CLI::App* info = app.add_subcommand("info", "Geometry, types and sizes of a model");
  AddModelOption(*info, flags->model);
  info->add_flag("--json", flags->json, "Print one JSON object");
  info->callback([flags, &exit_code] {
    const Result<int> result = Info(*flags);
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

}  // namespace flashmoe::cli
