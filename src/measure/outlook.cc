#include "measure/outlook.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"

namespace flashmoe {
namespace {

constexpr int64_t kPrompts[] = {512, 2048};
constexpr double kNoticeable = 1.05;

// The same plan with so much more for experts.
MemoryPlan WithMore(const MemoryPlan& plan, const ModelFacts& facts, uint64_t bytes) {
  MemoryPlan more = plan;
  more.slots =
      std::min(plan.slots_all, plan.slots + bytes / std::max<uint64_t>(1, facts.slot_bytes));
  return more;
}

std::vector<Remedy> FindRemedies(const Outlook& now) {
  const auto speed = [&](const MemoryPlan& memory, const MachineSpeed& machine) {
    return ForecastDecode(now.facts, memory, machine, kOutlookPosition).tokens_per_s();
  };
  std::vector<Remedy> remedies;
  const MemoryPlan& plan = now.memory;
  if (!plan.all_resident()) {
    const uint64_t lacking = (plan.slots_all - plan.slots) * now.facts.slot_bytes;
    if (plan.budget < lacking) {
      remedies.push_back({fmt::format("twice the memory, {}", FormatBytes(2 * plan.budget)),
                          speed(WithMore(plan, now.facts, plan.budget), now.machine)});
    }
    remedies.push_back(
        {fmt::format("memory for all experts, {}", FormatBytes(plan.total() + lacking)),
         speed(WithMore(plan, now.facts, lacking), now.machine)});
    MachineSpeed disk = now.machine;
    disk.disk.bytes_per_s *= 2;
    remedies.push_back(
        {fmt::format("a disk twice as fast, {:.1f} GB/s", disk.disk.bytes_per_s * 1e-9),
         speed(plan, disk)});
  }
  MachineSpeed memory = now.machine;
  memory.memory_bytes_per_s *= 2;
  for (auto* speeds : {&memory.dense, &memory.experts, &memory.head}) {
    for (KernelSpeed& kernel : *speeds) kernel.bytes_per_s *= 2;
  }
  remedies.push_back({fmt::format("cores that read memory twice as fast, {:.0f} GB/s",
                                  memory.memory_bytes_per_s * 1e-9),
                      speed(plan, memory)});
  std::erase_if(remedies, [&](const Remedy& remedy) {
    return remedy.tokens_per_s < kNoticeable * now.decode.tokens_per_s();
  });
  std::ranges::sort(remedies, std::greater<>(), &Remedy::tokens_per_s);
  return remedies;
}

}  // namespace

Result<Outlook> MakeOutlook(ModelFile& file, const EngineOptions& options, const File* disk,
                            const MachineOptions& machine) {
  Outlook outlook;
  FM_ASSIGN_OR_RETURN(outlook.facts,
                      Inspect(file, options.experts_per_token, options.kv.value_or(KvType::kF16)));
  FM_ASSIGN_OR_RETURN(Plans plans, MakePlans(file, options));
  outlook.memory = plans.memory;
  FM_ASSIGN_OR_RETURN(outlook.machine, MeasureMachine(outlook.facts, disk, machine));
  const bool there = std::ranges::any_of(
      file.files(), [&](const std::shared_ptr<const File>& part) { return part.get() == disk; });
  if (!there) {
    plans.reads.direct_possible = disk == nullptr || disk->direct_fd() >= 0;
    plans.reads.cached = 0;
  }
  outlook.read = MakeReadPlan(plans.reads, outlook.machine.disk.device);
  outlook.decode = ForecastDecode(outlook.facts, outlook.memory, outlook.machine, kOutlookPosition);
  for (const int64_t tokens : kPrompts) {
    if (tokens > outlook.memory.context) continue;
    outlook.prefill.push_back(
        ForecastPrefill(outlook.facts, outlook.memory, outlook.machine, tokens));
  }
  outlook.remedies = FindRemedies(outlook);
  return outlook;
}

}  // namespace flashmoe
