// flashmoe synth: a random model with the shapes of a real one.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "apps/flashmoe/command_line.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "base/units.h"
#include "model/geometry.h"
#include "synth/random_model.h"

namespace flashmoe::cli {
namespace {

struct SynthFlags {
  std::string geometry = "qwen3.5-35b-a3b", experts_type = "q4_0", dense_type = "q8_0", out;
  int layers = 0, experts = 0, vocabulary = 0;
  int threads = 0;
  RandomModelOptions options;
};

// The named geometry, cut down as far as asked.
Result<ModelConfig> MakeGeometry(const SynthFlags& flags) {
  FM_ASSIGN_OR_RETURN(ModelConfig config, GeometryByName(flags.geometry));
  if (flags.layers > config.layers || flags.experts > config.experts ||
      flags.vocabulary > config.vocab_rows) {
    return InvalidInput(
        fmt::format("{} has {} layers of {} experts and {} rows of vocabulary, no more",
                    flags.geometry, config.layers, config.experts, config.vocab_rows));
  }
  if (flags.layers > 0) config = WithLayers(std::move(config), flags.layers);
  if (flags.experts > 0) config.experts = flags.experts;
  if (flags.vocabulary > 0) config.vocab_rows = flags.vocabulary;
  config.experts_per_token = std::min(config.experts_per_token, config.experts);
  config.name += " (random weights)";
  return config;
}

Result<int> Synth(const SynthFlags& flags) {
  const CancelFlag& cancel = InstallInterruptHandler();
  FM_ASSIGN_OR_RETURN(const ModelConfig config, MakeGeometry(flags));
  RandomModelOptions options = flags.options;
  FM_ASSIGN_OR_RETURN(options.types.experts, TypeByName(flags.experts_type));
  FM_ASSIGN_OR_RETURN(options.types.dense, TypeByName(flags.dense_type));
  options.threads = flags.threads > 0 ? flags.threads : AvailableCpus();
  const double start_s = NowSeconds();
  FM_ASSIGN_OR_RETURN(const uint64_t bytes,
                      WriteRandomModel(config, options, flags.out, TerminalProgress(), &cancel));
  ClearProgress();
  const double seconds = NowSeconds() - start_s;
  PrintNote(fmt::format("{}: {} of {} in {:.1f} s, {:.2f} GB/s", flags.out, FormatBytes(bytes),
                        config.name, seconds, static_cast<double>(bytes) / seconds * 1e-9));
  return 0;
}

}  // namespace

void AddSynth(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<SynthFlags>();
  CLI::App* synth = app.add_subcommand(
      "synth", "Write a random model with the shapes of a real one, to measure speed with");
  synth
      ->add_option("--geometry", flags->geometry,
                   fmt::format("Whose shapes: {}", fmt::join(GeometryNames(), ", ")))
      ->type_name("NAME")
      ->capture_default_str();
  synth->add_option("--out", flags->out, "GGUF file to write")->type_name("F.gguf")->required();
  synth->add_option("--layers", flags->layers, "Only the first N layers")
      ->type_name("N")
      ->check(Between(1, 1 << 10));
  synth->add_option("--experts", flags->experts, "Only N experts a layer")
      ->type_name("N")
      ->check(Between(1, 1 << 14));
  synth->add_option("--vocabulary", flags->vocabulary, "Only N rows of embedding and head")
      ->type_name("N")
      ->check(Between(512, 1 << 20));
  synth->add_option("--experts-type", flags->experts_type, "Type of the routed experts")
      ->type_name("TYPE")
      ->capture_default_str();
  synth->add_option("--dense-type", flags->dense_type, "Type of all other matrices")
      ->type_name("TYPE")
      ->capture_default_str();
  synth
      ->add_option("--routing-skew", flags->options.routing_skew,
                   "How much experts differ in popularity; 0: not at all")
      ->type_name("S")
      ->check(CLI::Range(0.0, 2.0).description(""))
      ->capture_default_str();
  synth->add_option("-s,--seed", flags->options.seed, "Another seed, another model")
      ->type_name("N")
      ->capture_default_str();
  synth->add_option("-t,--threads", flags->threads, "Threads that write; default: all CPUs")
      ->type_name("N")
      ->check(Between(1, 1024));
  synth->callback([flags, &exit_code] {
    const Result<int> result = Synth(*flags);
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

}  // namespace flashmoe::cli
