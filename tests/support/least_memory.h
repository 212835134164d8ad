// The smallest budget that a model accepts, as its refusal names it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/engine.h"

namespace flashmoe {

// Bytes from "pass --memory 123MB"; 0 if there is no such hint.
uint64_t NamedBudget(const Error& error);

// 0, and a failure of the test, if a budget of one byte is not refused with a hint.
uint64_t LeastMemory(const std::string& path, EngineOptions options);

// With the budget that a refusal names. What the process holds besides counts too, and tests let it
// grow: a second refusal is followed as well.
std::unique_ptr<Engine> OpenWithLeast(const std::string& path, const EngineOptions& options);

// With slots for the experts of one token and for `extra` bytes of others, and the shortest chunks.
std::unique_ptr<Engine> OpenAtFloor(const std::string& path, EngineOptions options,
                                    uint64_t extra = 0);

}  // namespace flashmoe
