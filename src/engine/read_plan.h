// How the experts come from the disk: past the page cache or through it, and by which reader.
// Decided once, printed and obeyed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/memory_plan.h"
#include "io/async_reader.h"
#include "io/device_probe.h"

namespace flashmoe {

// Who keeps bytes that were read: the slots alone, or the system's page cache as well.
enum class CacheMode { kAuto, kDirect, kPage };
Result<CacheMode> CacheModeFromName(std::string_view name);  // "auto", "direct", "page"

struct ReadPlanInputs {
  CacheMode cache = CacheMode::kAuto;
  ReaderKind io = ReaderKind::kAuto;
  bool budget_given = false;    // the user said how much memory may be used
  bool direct_possible = true;  // the volume knows reads past the page cache
  uint64_t file_bytes = 0;      // of the whole model
  uint64_t available = 0;       // memory that the machine and its control group can still give
  uint64_t planned = 0;         // memory that the plan takes
  double cached = 0;            // part of the experts that the page cache holds now
  uint64_t slots = 0, slots_all = 0;
};

struct ReadPlan {
  ReaderKind io = ReaderKind::kAuto;
  bool direct = true;
  int depth = 0;          // reads handed to the system at once
  std::string cache_why;  // "past the page cache: ..."
  std::string regime;     // "all experts fit: ..."
  DeviceProfile device;   // what was measured

  const char* cache_name() const { return direct ? "direct" : "page"; }
  ReaderOptions reader_options() const;
  std::string ToString() const;  // sentences for a person
};

ReadPlan MakeReadPlan(const ReadPlanInputs& inputs, const DeviceProfile& device);

}  // namespace flashmoe
