#include "measure/machine.h"

#include <algorithm>

#include "base/bandwidth.h"
#include "base/check.h"
#include "measure/disk_sampler.h"

namespace flashmoe {
namespace {

const KernelSpeed& Of(const std::vector<KernelSpeed>& speeds, DType type) {
  const auto speed = std::ranges::find(speeds, type, &KernelSpeed::type);
  FM_CHECK(speed != speeds.end());
  return *speed;
}

double OneTokenSeconds(const std::vector<ProductShare>& shares,
                       const std::vector<KernelSpeed>& speeds) {
  double seconds = 0;
  for (const ProductShare& share : shares) {
    seconds += static_cast<double>(share.bytes) / Of(speeds, share.type).bytes_per_s;
  }
  return seconds;
}

// One token's share of a pass in which each matrix is multiplied with so many.
double ManyTokensSeconds(const std::vector<ProductShare>& shares,
                         const std::vector<KernelSpeed>& speeds, double tokens) {
  double seconds = 0;
  for (const ProductShare& share : shares) {
    seconds +=
        static_cast<double>(share.products) / Of(speeds, share.type).ProductsPerSecond(tokens);
  }
  return seconds;
}

// How kernels are measured: which, on which threads, with how many tokens, in how many bytes.
struct KernelTrial {
  const KernelTable& kernels;
  ThreadPool& pool;
  std::vector<int64_t> tokens = KernelSpeed().tokens;
  uint64_t bytes = kKernelBytes;
};

Result<std::vector<KernelSpeed>> MeasureTypes(const std::vector<ProductShare>& shares, int64_t rows,
                                              int64_t cols, const KernelTrial& trial) {
  std::vector<KernelSpeed> speeds;
  for (const ProductShare& share : shares) {
    FM_ASSIGN_OR_RETURN(KernelSpeed speed, MeasureKernel(share.type, rows, cols, trial.kernels,
                                                         trial.pool, trial.tokens, trial.bytes));
    speeds.push_back(speed);
  }
  return speeds;
}

// What a prompt computes.
Status MeasureLayers(const ModelFacts& facts, const KernelTrial& trial, MachineSpeed& speed) {
  const ModelConfig& c = facts.config;
  const int64_t dense_rows = std::max<int64_t>(c.hidden, int64_t{c.heads} * c.head_dim);
  FM_ASSIGN_OR_RETURN(speed.dense, MeasureTypes(facts.products.dense, dense_rows, c.hidden, trial));
  FM_ASSIGN_OR_RETURN(speed.experts,
                      MeasureTypes(facts.products.experts, c.expert_width, c.hidden, trial));
  speed.mixers = MeasureMixers(c, trial.kernels, trial.pool);
  return {};
}

// Half of what the device gives, which it also gives beside other work, while memory is read as
// decoding reads it.
double ComputeSecondsPerByte(const File& file, const DeviceProfile& device, ThreadPool& pool) {
  constexpr int kRounds = 2;
  const double bytes_per_s = 0.5 * device.gbps * 1e9;
  Result<DiskSampler> disk =
      DiskSampler::Create(file, device, MeasuringBytes(DiskSampler::kBufferBytesMost));
  Result<MemorySweep> memory = MemorySweep::Create(pool, MeasuringBytes());
  if (!disk.has_value() || !memory.has_value()) return 0;
  const auto step = [&] { memory->Read(DiskSampler::kStepBytes); };
  const std::optional<double> kept = disk->SpeedKept(bytes_per_s, step, kRounds);
  return kept ? (1 - *kept) / bytes_per_s : 0;
}

// By reads of the size that experts are read in, gate, up and down each, from all over the file.
DiskSpeed MeasureDisk(const File& file, const ModelFacts& facts, ReaderKind reader,
                      ThreadPool& pool) {
  const DeviceProfile device = ProbeDevice(file, std::max<uint64_t>(1, facts.expert_bytes / 3),
                                           {.reader = reader, .file_bytes_least = 0});
  if (!device.probed()) return {.device = device};
  return {device.gbps * 1e9, device.reader_name(), device,
          ComputeSecondsPerByte(file, device, pool)};
}

}  // namespace

double MachineSpeed::DecodeDenseSeconds(const ModelFacts& facts) const {
  return OneTokenSeconds(facts.products.dense, dense) + DecodeHeadSeconds(facts);
}

double MachineSpeed::DecodeHeadSeconds(const ModelFacts& facts) const {
  return OneTokenSeconds({facts.products.head}, head);
}

double MachineSpeed::DecodeExpertSeconds(const ModelFacts& facts) const {
  return OneTokenSeconds(facts.products.experts, experts);
}

double MachineSpeed::PrefillSeconds(const ModelFacts& facts, double first, double tokens,
                                    double tokens_an_expert) const {
  return ManyTokensSeconds(facts.products.dense, dense, tokens) +
         ManyTokensSeconds(facts.products.experts, experts, tokens_an_expert) +
         mixers.PrefillSeconds(facts.config, first + tokens / 2);
}

double MachineSpeed::LeastPrefillSeconds(const ModelFacts& facts, double tokens) const {
  double seconds = mixers.PrefillSeconds(facts.config, tokens / 2);
  for (const auto& [shares, speeds] :
       {std::pair{&facts.products.dense, &dense}, std::pair{&facts.products.experts, &experts}}) {
    for (const ProductShare& share : *shares) {
      seconds +=
          static_cast<double>(share.products) / Of(*speeds, share.type).peak_products_per_s();
    }
  }
  return seconds;
}

Result<MachineSpeed> MeasureMachine(const ModelFacts& facts, const File* file,
                                    const MachineOptions& options) {
  MachineSpeed speed;
  speed.threads = options.threads;
  ThreadPool pool(options.threads);
  if (options.disk_bytes_per_s > 0) {
    speed.disk = {options.disk_bytes_per_s, "given", {.why_not = "its speed is given"}};
  } else if (file != nullptr) {
    speed.disk = MeasureDisk(*file, facts, options.reader, pool);
  }
  FM_ASSIGN_OR_RETURN(const double measured,
                      MeasureReadBandwidth(options.threads, MeasuringBytes()));
  speed.memory_bytes_per_s = options.memory_bytes_per_s > 0 ? options.memory_bytes_per_s : measured;

  const ModelConfig& c = facts.config;
  FM_ASSIGN_OR_RETURN(const KernelTable* kernels, SelectKernels(options.isa));
  const KernelTrial trial = {*kernels, pool};
  FM_RETURN_IF_ERROR(MeasureLayers(facts, trial, speed));
  FM_ASSIGN_OR_RETURN(speed.head,
                      MeasureTypes({facts.products.head}, c.vocab_rows, c.hidden, trial));
  for (auto* types : {&speed.dense, &speed.experts, &speed.head}) {
    for (KernelSpeed& kernel : *types) kernel.bytes_per_s *= speed.memory_bytes_per_s / measured;
  }
  return speed;
}

Result<MachineSpeed> MeasureArithmetic(const ModelFacts& facts, const KernelTable& kernels,
                                       ThreadPool& pool) {
  const int64_t tokens = KernelSpeed().tokens.back();
  MachineSpeed speed;
  speed.threads = pool.threads();
  FM_RETURN_IF_ERROR(MeasureLayers(facts, {kernels, pool, {tokens}, kArithmeticBytes / 4}, speed));
  return speed;
}

}  // namespace flashmoe
