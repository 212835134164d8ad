// flashmoe bench kernels: matrix products beside what memory and instructions give.
#include "apps/flashmoe/bench_kernels.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "apps/flashmoe/command_line.h"
#include "base/bandwidth.h"
#include "measure/kernel_speed.h"

namespace flashmoe::cli {
namespace {

constexpr int64_t kRows = 512, kCols = 2048;  // an expert of Qwen3.5-35B-A3B

struct KernelsFlags {
  std::vector<std::string> types = {"q4_0",  "q4_1",    "q5_0",  "q5_1",   "q8_0",    "q2_k",
                                    "q3_k",  "q4_k",    "q5_k",  "q6_k",   "iq2_xxs", "iq2_xs",
                                    "iq2_s", "iq3_xxs", "iq3_s", "iq4_nl", "iq4_xs",  "mxfp4",
                                    "mlx2",  "mlx4",    "mlx6",  "mlx8",   "bf16",    "f16"};
  std::vector<int64_t> tokens = {4, 8, 16, 32, 64, 512};
  std::string isa = "auto";
  int threads = 0;
  bool json = false;
};

struct PeakSpeed {
  std::string instruction;  // empty: unknown
  double products_per_s = 0;
};

struct KernelsReport {
  std::string kernels;
  int threads = 1;
  double read_bytes_per_s = 0, copy_bytes_per_s = 0;
  PeakSpeed integers, floats;
  struct Row {
    KernelSpeed speed;
    bool integers = false;
  };
  std::vector<Row> rows;

  double PeakOf(const Row& row) const { return (row.integers ? integers : floats).products_per_s; }
};

PeakSpeed MeasureLoop(const PeakLoop& loop, ThreadPool& pool) {
  return {std::string(loop.instruction), MeasurePeak(loop, pool)};
}

Result<DType> WeightTypeByName(const std::string& name) {
  FM_ASSIGN_OR_RETURN(const DType type, TypeByName(name));
  if (type != DType::kF64 && (type < DType::kI8 || type > DType::kI64)) return type;
  return InvalidInput(fmt::format("no products are computed with weights of type '{}'", name), {},
                      "give a type of weights, e.g. q4_k or bf16");
}

Result<KernelsReport> Measure(const KernelsFlags& flags, const CancelFlag& cancel) {
  std::vector<DType> types;
  for (const std::string& name : flags.types) {
    FM_ASSIGN_OR_RETURN(const DType type, WeightTypeByName(name));
    types.push_back(type);
  }
  std::vector<int64_t> tokens = flags.tokens;
  std::ranges::sort(tokens);
  FM_ASSIGN_OR_RETURN(const KernelTable* kernels, SelectKernels(flags.isa));
  ThreadPool pool(flags.threads > 0 ? flags.threads : AvailableCpus());
  KernelsReport report;
  report.kernels = kernels->name;
  report.threads = pool.threads();
  const uint64_t bytes = MeasuringBytes();
  FM_ASSIGN_OR_RETURN(report.read_bytes_per_s, MeasureReadBandwidth(pool.threads(), bytes));
  FM_ASSIGN_OR_RETURN(report.copy_bytes_per_s, MeasureCopyBandwidth(pool.threads(), bytes));
  const PeakLoops loops = PeakLoopsOf(*kernels);
  report.integers = MeasureLoop(loops.integers, pool);
  report.floats = MeasureLoop(loops.floats, pool);
  for (const DType type : types) {
    if (cancel.IsSet()) return Fail(ErrorCode::kCancelled, "interrupted");
    FM_ASSIGN_OR_RETURN(KernelSpeed speed,
                        MeasureKernel(type, kRows, kCols, *kernels, pool, tokens));
    const bool integers = kernels->activation_format(type) == ActivationFormat::kQ8;
    report.rows.push_back({std::move(speed), integers});
  }
  return report;
}

double Giga(double rate) { return rate * 1e-9; }

void PrintTable(const KernelsReport& report) {
  Print(fmt::format("{}, {}; memory reads {:.1f} GB/s, copies {:.1f} GB/s", report.kernels,
                    report.threads == 1 ? "1 thread" : fmt::format("{} threads", report.threads),
                    Giga(report.read_bytes_per_s), Giga(report.copy_bytes_per_s)));
  const char* lead = "; peaks: ";
  for (const PeakSpeed& peak : {report.integers, report.floats}) {
    if (peak.instruction.empty()) continue;
    Print(fmt::format("{}{} {:.0f} G/s", lead, peak.instruction, Giga(peak.products_per_s)));
    lead = ", ";
  }
  Print(fmt::format("\n\n{:<8}  {:>16}   G multiply-adds/s, by tokens at once\n", "", "one token"));
  std::string line = fmt::format("{:<8}  {:>6}  {:>8}  ", "type", "GB/s", "of reads");
  for (const int64_t n : report.rows.front().speed.tokens) line += fmt::format(" {:>6}", n);
  Print(line + (report.integers.instruction.empty() ? "\n" : "  of peak\n"));
  for (const KernelsReport::Row& row : report.rows) {
    const KernelSpeed& speed = row.speed;
    line = fmt::format("{:<8}  {:>6.1f}  {:>6.0f} %  ", GetInfo(speed.type).name,
                       Giga(speed.bytes_per_s), 100 * speed.bytes_per_s / report.read_bytes_per_s);
    for (const double rate : speed.products_per_s) line += fmt::format(" {:>6.0f}", Giga(rate));
    if (const double peak = report.PeakOf(row); peak > 0) {
      line += fmt::format("  {:>5.0f} %", 100 * speed.peak_products_per_s() / peak);
    }
    Print(line + "\n");
  }
}

nlohmann::ordered_json PeakToJson(const PeakSpeed& peak) {
  if (peak.instruction.empty()) return nullptr;
  return {{"instruction", peak.instruction}, {"gmacs", Giga(peak.products_per_s)}};
}

nlohmann::ordered_json ToJson(const KernelsReport& report) {
  auto types = nlohmann::ordered_json::object();
  for (const KernelsReport::Row& row : report.rows) {
    const KernelSpeed& speed = row.speed;
    auto many = nlohmann::ordered_json::array();
    for (size_t i = 0; i < speed.tokens.size(); ++i) {
      many.push_back({{"tokens", speed.tokens[i]}, {"gmacs", Giga(speed.products_per_s[i])}});
      const double peak = report.PeakOf(row);
      if (peak > 0) many.back()["peak_share"] = speed.products_per_s[i] / peak;
    }
    types[std::string(GetInfo(speed.type).name)] = {
        {"one_token_gbps", Giga(speed.bytes_per_s)},
        {"read_share", speed.bytes_per_s / report.read_bytes_per_s},
        {"many_tokens", std::move(many)}};
  }
  return {{"kernels", report.kernels},
          {"threads", report.threads},
          {"memory_read_gbps", Giga(report.read_bytes_per_s)},
          {"memory_copy_gbps", Giga(report.copy_bytes_per_s)},
          {"integer_peak", PeakToJson(report.integers)},
          {"float_peak", PeakToJson(report.floats)},
          {"types", std::move(types)}};
}

Result<int> BenchKernels(const KernelsFlags& flags) {
  FM_ASSIGN_OR_RETURN(const KernelsReport report, Measure(flags, InstallInterruptHandler()));
  if (flags.json) {
    PrintJson(ToJson(report));
  } else {
    PrintTable(report);
  }
  return 0;
}

}  // namespace

void AddBenchKernels(CLI::App& bench, int& exit_code) {
  auto flags = std::make_shared<KernelsFlags>();
  CLI::App* kernels = bench.add_subcommand(
      "kernels", "Measure matrix products of each type beside the limits of this machine");
  kernels->footer(fmt::format(
      "A product with one token reads each weight once, so memory limits it: GB/s of weights,\n"
      "beside what reading gives. Products with many tokens are limited by computing:\n"
      "multiply-adds a second, the best of them beside a loop of the fastest instruction.\n"
      "The matrices are experts of {} x {} weights, more of them than caches hold; one token\n"
      "meets eight at once, as those of a layer.",
      kRows, kCols));
  kernels->add_option("--types", flags->types, "Types of weights")
      ->type_name("TYPE,...")
      ->delimiter(',')
      ->default_str(fmt::format("{}", fmt::join(flags->types, ",")));
  kernels->add_option("--tokens", flags->tokens, "Numbers of tokens at once")
      ->type_name("N,...")
      ->delimiter(',')
      ->check(Between(1, 4096))
      ->default_str(fmt::format("{}", fmt::join(flags->tokens, ",")));
  AddIsaOption(*kernels, flags->isa);
  kernels->add_option("-t,--threads", flags->threads, "Threads that compute; default: all CPUs")
      ->type_name("N")
      ->check(Between(1, 1024));
  kernels->add_flag("--json", flags->json, "Print one JSON object");
  kernels->callback([flags, &bench, &exit_code] {
    for (const CLI::Option* option : bench.get_options()) {
      if (option->count() == 0) continue;
      throw CLI::ValidationError(option->get_name(),
                                 "belongs to a model's runs; see flashmoe bench kernels --help");
    }
    const Result<int> result = BenchKernels(*flags);
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

}  // namespace flashmoe::cli
