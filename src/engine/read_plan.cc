#include "engine/read_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"

namespace flashmoe {
namespace {

struct CacheChoice {
  bool direct = true;
  std::string why;
};

// Experts of which the page cache is read at the speed of memory; through it from the disk costs
// several times the time and the CPU of a read past it.
constexpr double kCachedLeast = 0.9;

// The page cache is a source where it holds the model and can go on holding it. Where something has
// to leave memory for what is read, copies push out others that were worth as much. A control group
// counts its page cache too, so there the same sum decides.
CacheChoice ChooseCache(const ReadPlanInputs& in, const DeviceProfile& device) {
  if (in.io == ReaderKind::kMmap) {
    return {false, "through the page cache, as mappings always are"};
  }
  if (!in.direct_possible) {
    return {false, "through the page cache, since the volume knows no reads past it"};
  }
  if (in.cache == CacheMode::kDirect) return {true, "past the page cache, as asked"};
  if (in.cache == CacheMode::kPage) return {false, "through the page cache, as asked"};
  if (device.probed() && !device.direct) {
    return {false, "through the page cache, since reads past it are slow on this volume"};
  }
  if (in.budget_given) {
    return {true, "past the page cache, which would take memory beyond the budget"};
  }
  const std::string sum =
      fmt::format("{} of files and {} in use", FormatBytes(in.file_bytes), FormatBytes(in.planned));
  const uint64_t room = in.available - in.available / 10;
  if (in.planned > room || in.file_bytes > room - in.planned) {
    return {true, fmt::format("past the page cache, since {} are more than the {} that can be had",
                              sum, FormatBytes(room))};
  }
  if (in.cached < kCachedLeast) {
    return {true, fmt::format("past the page cache, which holds {:.0f} % of the experts",
                              100 * in.cached)};
  }
  return {false, fmt::format("through the page cache, which holds them and has room ({} below {})",
                             sum, FormatBytes(room))};
}

std::string Regime(const ReadPlanInputs& in) {
  if (in.slots >= in.slots_all) {
    return "Every expert has a place in memory and is read once, when it is first asked for";
  }
  const double part = 100.0 * static_cast<double>(in.slots) / static_cast<double>(in.slots_all);
  if (part >= 75) {
    return fmt::format(
        "Nearly all experts ({:.0f} %) stay in memory, so the disk is read now and "
        "then",
        part);
  }
  return fmt::format(
      "{:.0f} % of the experts stay in memory, the others are read for each token "
      "that chooses them",
      part);
}

}  // namespace

Result<CacheMode> CacheModeFromName(std::string_view name) {
  if (name == "auto") return CacheMode::kAuto;
  if (name == "direct") return CacheMode::kDirect;
  if (name == "page") return CacheMode::kPage;
  return InvalidInput(fmt::format("there is no way of caching \"{}\"", name), {},
                      "choose auto, direct or page");
}

ReadPlan MakeReadPlan(const ReadPlanInputs& in, const DeviceProfile& device) {
  const CacheChoice cache = ChooseCache(in, device);
  ReadPlan plan;
  plan.io = in.io == ReaderKind::kAuto && device.probed() ? device.reader_to_make() : in.io;
  plan.direct = cache.direct;
  // io_uring hands everything to the system, which feeds the device better than this program can;
  // threads are as many as the probe found useful.
  plan.depth =
      plan.io == ReaderKind::kPread && device.probed() ? device.depth : ReaderOptions().queue_depth;
  plan.cache_why = cache.why;
  plan.regime = Regime(in);
  plan.device = device;
  return plan;
}

ReaderOptions ReadPlan::reader_options() const {
  ReaderOptions options;
  options.kind = io;
  options.direct = direct;
  options.queue_depth = depth;
  return options;
}

std::string ReadPlan::ToString() const {
  return fmt::format("{}. Files are read {}. Disk {}.", regime, cache_why, device.ToString());
}

}  // namespace flashmoe
