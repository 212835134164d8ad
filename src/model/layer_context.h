// What the parts of a layer share during one forward pass.
#pragma once

#include <cstdint>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/workspace.h"

namespace flashmoe {

struct LayerContext {
  const ModelConfig& config;
  const KernelTable& kernels;
  ThreadPool& pool;
  Workspace& work;
  int layer = 0;
  int64_t tokens = 0;    // of this pass
  int64_t position = 0;  // of its first token
};

}  // namespace flashmoe
