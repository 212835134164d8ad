// What this machine can do for a model: the speeds that roofs and forecasts are made from.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "engine/engine.h"
#include "io/async_reader.h"
#include "io/device_probe.h"
#include "measure/kernel_speed.h"
#include "measure/mixer_speed.h"

namespace flashmoe {

struct DiskSpeed {
  double bytes_per_s = 0;
  std::string reader = {};    // "uring direct"
  DeviceProfile device = {};  // how it was measured
  // What reading takes of the cores' computing, in their seconds a byte; 0 if it is not known. Much
  // where a virtual machine's host reads on the same cores.
  double compute_s_per_byte = 0;
};

struct MachineSpeed {
  DiskSpeed disk;  // 0 bytes a second: not known
  double memory_bytes_per_s = 0;
  int threads = 1;
  std::vector<KernelSpeed> dense, experts, head;  // of the types that the model has in each
  MixerSpeed mixers;

  // What all of a token's products with weights take, alone.
  double DecodeDenseSeconds(const ModelFacts& facts) const;  // the head's among them
  double DecodeHeadSeconds(const ModelFacts& facts) const;
  double DecodeExpertSeconds(const ModelFacts& facts) const;
  // One token's share of a pass of `tokens` from position `first` on, of which `tokens_an_expert`
  // meet at each expert: products with weights, and mixers.
  double PrefillSeconds(const ModelFacts& facts, double first, double tokens,
                        double tokens_an_expert) const;
  // The same at the highest speed that the kernels reached: the roof of the arithmetic for a prompt
  // of `tokens` from position 0 on.
  double LeastPrefillSeconds(const ModelFacts& facts, double tokens) const;
};

struct MachineOptions {
  int threads = 1;
  std::string isa = "auto";
  double disk_bytes_per_s = 0;    // not 0: given, not measured
  double memory_bytes_per_s = 0;  // likewise; the kernels are then taken to be as much faster
  ReaderKind reader = ReaderKind::kAuto;
};

// `file`: where the disk is measured; may be null. Takes a few seconds.
Result<MachineSpeed> MeasureMachine(const ModelFacts& facts, const File* file,
                                    const MachineOptions& options);

// The arithmetic of prompts alone, at its fastest: what LeastPrefillSeconds() needs, again between
// runs, since a machine that others share is not as fast all the time. Takes some tenths of a
// second and at most kArithmeticBytes.
inline constexpr uint64_t kArithmeticBytes = 32 << 20;
Result<MachineSpeed> MeasureArithmetic(const ModelFacts& facts, const KernelTable& kernels,
                                       ThreadPool& pool);

}  // namespace flashmoe
