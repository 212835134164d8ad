// Which experts a model chooses for a text, as a trace that can be kept and replayed.
#pragma once

#include <cstdint>
#include <span>

#include "base/progress.h"
#include "base/status.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "experts/trace.h"

namespace flashmoe {

// Cuts the text into sequences of `sequence_tokens`, each read from an empty context; what is left
// over at the end is dropped. 0: the whole text is one sequence.
Result<RoutingTrace> RecordRouting(Engine& engine, Session& session,
                                   std::span<const int32_t> tokens, uint32_t sequence_tokens,
                                   const ProgressFn& progress = {});

}  // namespace flashmoe
