// flashmoe plan: whether a model will run here and how fast, before it is downloaded.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "apps/flashmoe/bench_report.h"
#include "apps/flashmoe/command_line.h"
#include "base/units.h"
#include "measure/outlook.h"
#include "model/geometry.h"
#include "synth/weightless_model.h"

namespace flashmoe::cli {
namespace {

struct PlanFlags {
  EngineFlags engine;
  std::string geometry, experts_type = "q4_k", dense_type = "q8_0";
  int layers = 0;
  double disk_gbps = 0, memory_gbps = 0;
  bool json = false;
};

// A model to look at, and a file on the disk whose speed counts.
struct Subject {
  std::unique_ptr<ModelFile> model;
  std::shared_ptr<const File> disk;
};

std::shared_ptr<const File> LargestFile(const ModelFile& model) {
  return *std::ranges::max_element(model.files(), {}, [](const auto& f) { return f->size(); });
}

Result<Subject> OpenSubject(const PlanFlags& flags) {
  Subject subject;
  if (flags.geometry.empty()) {
    FM_ASSIGN_OR_RETURN(subject.model, OpenRunnableModel(flags.engine.model));
    subject.disk = LargestFile(*subject.model);
    return subject;
  }
  FM_ASSIGN_OR_RETURN(ModelConfig config, GeometryByName(flags.geometry));
  if (flags.layers > config.layers) {
    return InvalidInput(fmt::format("{} has {} layers, no more", flags.geometry, config.layers));
  }
  if (flags.layers > 0) config = WithLayers(std::move(config), flags.layers);
  GgufTypes types;
  FM_ASSIGN_OR_RETURN(types.experts, TypeByName(flags.experts_type));
  FM_ASSIGN_OR_RETURN(types.dense, TypeByName(flags.dense_type));
  FM_ASSIGN_OR_RETURN(subject.model, OpenWithoutWeights(config, types));
  if (flags.disk_gbps > 0) return subject;
  // Without a file of the model, that of the bundled one stands for its disk.
  FM_ASSIGN_OR_RETURN(const std::unique_ptr<ModelFile> bundled, OpenModel(""));
  subject.disk = LargestFile(*bundled);
  return subject;
}

std::string Verdict(double tokens_per_s) {
  if (tokens_per_s >= 10) return "faster than one reads";
  if (tokens_per_s >= 4) return "about as fast as one reads";
  if (tokens_per_s >= 1) return "slower than one reads";
  return "for the patient: an answer takes minutes";
}

std::string MemoryText(const Outlook& o) {
  const MemoryPlan& m = o.memory;
  std::string text = fmt::format(
      "In {} of memory it runs: {} for what every token needs, {} for the state of {} positions, "
      "{} for program and scratch, {}{} for {} of the {} experts ({:.0f} %).\n",
      FormatBytes(m.budget), FormatBytes(m.dense), FormatBytes(m.state), m.context,
      FormatBytes(m.process + m.scratch),
      m.routers > 0 ? FormatBytes(m.routers) + " for routers that learn to look ahead, " : "",
      FormatBytes(m.experts), m.slots, m.slots_all, 100 * o.decode.resident_share);
  if (m.all_resident()) return text;
  return text + fmt::format(
                    "A token takes {} of experts. Of these {:.0f} % should be found in memory (an "
                    "expectation, from traces of trained models), {} are read from the disk.\n",
                    FormatBytes(o.facts.expert_bytes_token), 100 * o.decode.hit_rate,
                    FormatBytes(static_cast<uint64_t>(o.decode.bytes_missed)));
}

std::string SpeedText(const Outlook& o) {
  std::string text = fmt::format(
      "Answers      {:>7.1f} tokens/s, {}: {:.0f} ms a token, {:.0f} computing and {:.0f} waiting "
      "for the disk\n",
      o.decode.tokens_per_s(), Verdict(o.decode.tokens_per_s()), 1e3 / o.decode.tokens_per_s(),
      1e3 * o.decode.compute_s, 1e3 * o.decode.wait_s);
  for (const PrefillForecast& p : o.prefill) {
    text += fmt::format("Prompt {:>5} {:>7.1f} tokens/s: {:.1f} s until the answer begins\n",
                        p.tokens, p.tokens_per_s(), p.seconds);
  }
  return text;
}

std::string RoofText(const Outlook& o) {
  std::string text =
      fmt::format("No engine could exceed: {:.1f} tokens/s by memory ({:.1f} GB/s, {} a token)",
                  *o.decode.roofs.memory, o.machine.memory_bytes_per_s * 1e-9,
                  FormatBytes(o.facts.TouchedBytes(kOutlookPosition)));
  if (o.decode.roofs.disk) {
    text +=
        fmt::format(", {:.1f} by the disk ({:.2f} GB/s, {}) with these hits", *o.decode.roofs.disk,
                    o.machine.disk.bytes_per_s * 1e-9, o.machine.disk.reader);
  }
  if (!o.prefill.empty()) {
    const PrefillForecast& longest = o.prefill.back();
    text += fmt::format("; for prompts of {} {:.0f} by arithmetic", longest.tokens,
                        *longest.roofs.matrix);
    if (longest.roofs.disk) text += fmt::format(", {:.0f} by the disk", *longest.roofs.disk);
  }
  return text + ".\n";
}

std::string RemedyText(const Outlook& o) {
  if (o.remedies.empty()) return "";
  std::string text = "\nWhat would help:\n";
  for (const Remedy& remedy : o.remedies) {
    text += fmt::format("  {:<46}{:>7.1f} tokens/s ({:+.0f} %)\n", remedy.what, remedy.tokens_per_s,
                        100 * (remedy.tokens_per_s / o.decode.tokens_per_s() - 1));
  }
  return text;
}

// Whether a model that is yet to come finds room.
std::string DownloadText(const PlanFlags& flags, const Outlook& o) {
  if (flags.geometry.empty()) return "";
  std::error_code error;
  const auto space = std::filesystem::space(".", error);
  if (error || space.available >= o.facts.file_bytes) return "";
  return fmt::format("This folder's disk has no room for it: {} are free.\n",
                     FormatBytes(space.available));
}

std::string OutlookText(const PlanFlags& flags, const Outlook& o) {
  const ModelConfig& c = o.facts.config;
  return fmt::format("{}: {}, {} layers of {} experts, {} a token.\n",
                     c.name.empty() ? c.architecture : Printable(c.name),
                     FormatBytes(o.facts.file_bytes), c.layers, c.experts,
                     o.facts.experts_per_token) +
         DownloadText(flags, o) + MemoryText(o) + o.read.ToString() + "\n\n" + SpeedText(o) +
         RoofText(o) + RemedyText(o) +
         "\nSpeeds are expectations; flashmoe bench puts them beside measured ones.\n";
}

nlohmann::ordered_json ToJson(const Outlook& o) {
  using Json = nlohmann::ordered_json;
  Json prefill = Json::array(), remedies = Json::array();
  for (const PrefillForecast& p : o.prefill) {
    prefill.push_back({{"tokens", p.tokens},
                       {"tokens_per_s", p.tokens_per_s()},
                       {"seconds", p.seconds},
                       {"bytes_read", p.bytes_read},
                       {"roofs_tokens_per_s", RoofsToJson(p.roofs)}});
  }
  for (const Remedy& remedy : o.remedies) {
    remedies.push_back({{"what", remedy.what}, {"tokens_per_s", remedy.tokens_per_s}});
  }
  return {{"name", o.facts.config.name},
          {"file_bytes", o.facts.file_bytes},
          {"experts_per_token", o.facts.experts_per_token},
          {"memory", MemoryPlanToJson(o.memory)},
          {"read",
           {{"regime", o.read.regime},
            {"cache", o.read.cache_name()},
            {"cache_reason", o.read.cache_why}}},
          {"machine", MachineToJson(o.machine)},
          {"decode",
           {{"tokens_per_s", o.decode.tokens_per_s()},
            {"resident_share", o.decode.resident_share},
            {"hit_rate", o.decode.hit_rate},
            {"expert_bytes_per_token", o.facts.expert_bytes_token},
            {"bytes_touched_per_token", o.facts.TouchedBytes(kOutlookPosition)},
            {"bytes_read_per_token", o.decode.bytes_missed},
            {"compute_s", o.decode.compute_s},
            {"wait_s", o.decode.wait_s},
            {"roofs_tokens_per_s", RoofsToJson(o.decode.roofs)}}},
          {"prefill", std::move(prefill)},
          {"remedies", std::move(remedies)}};
}

Result<int> Plan(const PlanFlags& flags) {
  FM_ASSIGN_OR_RETURN(const EngineOptions options, MakeEngineOptions(flags.engine));
  FM_ASSIGN_OR_RETURN(const Subject subject, OpenSubject(flags));
  // Held while the plan is made, as it is by an engine.
  FM_ASSIGN_OR_RETURN(const TextModel words, LoadTextModel(*subject.model));
  MachineOptions machine;
  machine.threads = options.threads > 0 ? options.threads : AvailableCpus();
  machine.isa = options.isa;
  machine.reader = options.io;
  machine.disk_bytes_per_s = flags.disk_gbps * 1e9;
  machine.memory_bytes_per_s = flags.memory_gbps * 1e9;
  FM_ASSIGN_OR_RETURN(const Outlook outlook,
                      MakeOutlook(*subject.model, options, subject.disk.get(), machine));
  if (flags.json) {
    PrintJson(ToJson(outlook));
  } else {
    Print(OutlookText(flags, outlook));
  }
  return 0;
}

void AddMachineOptions(CLI::App& plan, PlanFlags& flags) {
  plan.add_option("--disk-gbps", flags.disk_gbps,
                  "Speed of the disk; default: measured on the model's file, or where this program "
                  "lies")
      ->type_name("X")
      ->check(CLI::Range(0.001, 1e4).description(""));
  plan.add_option("--memory-gbps", flags.memory_gbps,
                  "Speed at which all threads read memory; default: measured")
      ->type_name("X")
      ->check(CLI::Range(0.1, 1e5).description(""));
}

}  // namespace

void AddPlan(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<PlanFlags>();
  CLI::App* plan =
      app.add_subcommand("plan", "Will a model run here, and how fast: before it is downloaded");
  AddEngineOptions(*plan, flags->engine);
  plan->add_option(
          "--geometry", flags->geometry,
          fmt::format("Instead of a model's file its shapes: {}", fmt::join(GeometryNames(), ", ")))
      ->type_name("NAME")
      ->excludes("--model");
  plan->add_option("--experts-type", flags->experts_type, "Type of its routed experts")
      ->type_name("TYPE")
      ->capture_default_str();
  plan->add_option("--dense-type", flags->dense_type, "Type of all its other matrices")
      ->type_name("TYPE")
      ->capture_default_str();
  plan->add_option("--layers", flags->layers, "Only its first N layers")
      ->type_name("N")
      ->check(Between(1, 1 << 10));
  AddMachineOptions(*plan, *flags);
  plan->add_flag("--json", flags->json, "Print one JSON object");
  plan->callback([flags, &exit_code] {
    const Result<int> result = Plan(*flags);
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

}  // namespace flashmoe::cli
