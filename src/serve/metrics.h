// What the server counts, as text for Prometheus.
#pragma once

#include <string>

#include "engine/engine.h"
#include "engine/scheduler_stats.h"
#include "http/server.h"

namespace flashmoe {

std::string MetricsText(const SchedulerStats& jobs, const http::ServerStats& server,
                        const EnginePlan& plan, uint64_t resident_bytes);

}  // namespace flashmoe
