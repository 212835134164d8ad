// What the parts of a layer share during one forward pass.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/sequence_part.h"
#include "model/step_times.h"
#include "model/workspace.h"

namespace flashmoe {

struct LayerContext {
  const ModelConfig& config;
  const KernelTable& kernels;
  ThreadPool& pool;
  Workspace& work;
  StepClock& clock;
  int layer = 0;
  int64_t tokens = 0;    // of this pass, of a block of it, or of one sequence's part of that
  int64_t position = 0;  // of the first one; of a part only
  int64_t first = 0;     // its row in the buffers of the pass
  int64_t row = 0;       // and in those of a block
  std::span<const SequencePart> parts = {};             // which the tokens belong to
  const std::function<void()>* keep_reading = nullptr;  // gives the disk its next reads
  const std::function<bool()>* stop = nullptr;          // whether nobody wants the pass any more

  // Rows of the first token and those after it.
  float* x() const { return work.x.data() + first * config.hidden; }
  float* normed() const { return work.normed.data() + first * config.hidden; }
  float* mixed() const { return work.mixed.data() + first * config.hidden; }

  // The same for a block of the pass, and for a part of the block or of the pass.
  LayerContext Of(const PassBlock& block) const {
    LayerContext c = *this;
    c.tokens = block.tokens;
    c.first = block.first;
    c.parts = block.parts;
    return c;
  }
  LayerContext Of(const SequencePart& part) const {
    LayerContext c = *this;
    c.tokens = part.tokens;
    c.position = part.position;
    c.first = part.first;
    c.row = part.first - first;
    c.parts = {&part, 1};
    return c;
  }

  // Between products, where much is computed.
  void KeepReading() const {
    if (keep_reading != nullptr) (*keep_reading)();
  }

  void Lap(Step step) const { clock.Lap(step, layer); }
};

// out [tokens, H] = the residual stream work.x, RMS-normed with `weight`.
inline void NormRows(const LayerContext& c, const float* weight, float* out) {
  const int64_t hidden = c.config.hidden;
  c.pool.ParallelFor(c.tokens, 16, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      c.kernels.rms_norm(c.x() + t * hidden, weight, c.config.rms_eps, hidden, out + t * hidden);
    }
  });
}

}  // namespace flashmoe
