// The smallest budget that a model accepts, as its refusal names it.
#pragma once

#include <cstdint>
#include <string>

#include "engine/engine.h"

namespace flashmoe {

// Bytes from "pass --memory 123MB"; 0 if there is no such hint.
uint64_t NamedBudget(const Error& error);

// 0, and a failure of the test, if a budget of one byte is not refused with a hint.
uint64_t LeastMemory(const std::string& path, EngineOptions options);

}  // namespace flashmoe
