#include "experts/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/units.h"
#include "experts/store_impl.h"

namespace flashmoe {
namespace {

int FloorOf(const ExpertCatalog& catalog, int experts_per_token) {
  return std::min(experts_per_token, catalog.experts());
}

uint64_t AllExperts(const ExpertCatalog& catalog) {
  return static_cast<uint64_t>(catalog.routed_layers()) * static_cast<uint64_t>(catalog.experts());
}

// The number of slots to make: never more than there are experts.
Result<uint32_t> SlotCount(const ExpertCatalog& catalog, const StoreOptions& options) {
  if (options.experts_per_token < 1) {
    return InvalidInput(fmt::format("{} experts per token", options.experts_per_token), {},
                        "give at least 1");
  }
  const uint64_t keys =
      static_cast<uint64_t>(catalog.layers()) * static_cast<uint64_t>(catalog.experts());
  if (keys >= std::numeric_limits<ExpertKey>::max()) {
    return Fail(ErrorCode::kUnsupported, fmt::format("{} layers of {} experts are too many",
                                                     catalog.layers(), catalog.experts()));
  }
  const uint64_t least = ExpertStore::MinSlots(catalog, options.experts_per_token);
  if (options.slots < least) {
    return Fail(ErrorCode::kOutOfMemory, fmt::format("{} expert slots are too few", options.slots),
                {},
                fmt::format("{} slots ({}) hold the experts of one token: allow more memory", least,
                            FormatBytes(least * catalog.max_slot_bytes())));
  }
  return static_cast<uint32_t>(std::min(options.slots, AllExperts(catalog)));
}

Result<Memory> AllocateSlots(uint32_t slots, uint64_t slot_bytes) {
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(uint64_t{slots}, slot_bytes, &bytes)) {
    return Fail(ErrorCode::kOutOfMemory, fmt::format("{} expert slots of {} exceed any memory",
                                                     slots, FormatBytes(slot_bytes)));
  }
  if (bytes == 0) return Memory();
  return Memory::Allocate(bytes);
}

// Small memories are there as soon as a thread for them would be.
constexpr uint64_t kPrefaultBytesLeast = uint64_t{64} << 20;

Prefault PrefaultOf(const Memory& memory) {
  return memory.size() < kPrefaultBytesLeast ? Prefault() : Prefault(memory.span());
}

}  // namespace

// What is above the floors, and as much as one layer's: see ExpertCache::Victim().
uint64_t ExpertStore::Impl::guesses_held_max() const {
  return std::max(static_cast<uint64_t>(cache.floor()),
                  cache.slots() - std::min(cache.slots(), floors));
}

ExpertStore::Impl::Impl(ExpertCatalog catalog_in, Memory memory_in, uint64_t slot_bytes_in,
                        ExpertCache cache_in, const StoreOptions& options)
    : catalog(std::move(catalog_in)),
      memory(std::move(memory_in)),
      prefault(PrefaultOf(memory)),
      slot_bytes(slot_bytes_in),
      cache(std::move(cache_in)),
      fills(cache.slots()),
      seen(static_cast<size_t>(catalog.experts())),
      experts_per_token(options.experts_per_token),
      prefetch(options.prefetch),
      silence_max_s(options.silence_max_s),
      floors(MinSlots(catalog, experts_per_token)) {}

void ExpertStore::Impl::LimitSlots(uint64_t slots) {
  FM_CHECK(!streaming);
  const uint64_t before = cache.slots();
  if (slots < before) {
    ReleaseGuesses();
    if (arriving > 0) Collect(/*wait=*/false);  // what has come holds nothing up
    prefault = Prefault();                      // takes nothing back
  }
  cache.Limit(static_cast<uint32_t>(slots));
  if (cache.slots() >= before) return;
  memory.Discard(cache.slots() * slot_bytes);
  stats.slots_given_back += before - cache.slots();
}

void ExpertStore::Impl::Clear() {
  FM_CHECK(!streaming);
  ReleaseGuesses();
  while (arriving > 0) Collect(/*wait=*/true);
  const auto keys = static_cast<ExpertKey>(catalog.layers() * catalog.experts());
  for (ExpertKey key = 0; key < keys; ++key) {
    const uint32_t slot = cache.Find(key);
    if (slot == ExpertCache::kNoSlot) continue;
    cache.Pin(slot);
    cache.Drop(slot);
  }
}

uint64_t ExpertStore::MinSlots(const ExpertCatalog& catalog, int experts_per_token) {
  return static_cast<uint64_t>(catalog.routed_layers()) *
         static_cast<uint64_t>(std::max(0, FloorOf(catalog, experts_per_token)));
}

Result<std::unique_ptr<ExpertStore::Impl>> ExpertStore::MakeImpl(ExpertCatalog catalog,
                                                                 const StoreOptions& options) {
  FM_ASSIGN_OR_RETURN(const uint32_t slots, SlotCount(catalog, options));
  const uint64_t slot_bytes = catalog.max_slot_bytes();
  FM_ASSIGN_OR_RETURN(Memory memory, AllocateSlots(slots, slot_bytes));
  ExpertCache cache(
      catalog.layers(), catalog.experts(), slots, FloorOf(catalog, options.experts_per_token),
      MakeCachePolicy(options.policy,
                      {catalog.layers(), catalog.experts(), options.experts_per_token}));
  return std::make_unique<Impl>(std::move(catalog), std::move(memory), slot_bytes, std::move(cache),
                                options);
}

Result<std::unique_ptr<ExpertStore>> ExpertStore::Create(ExpertCatalog catalog,
                                                         const StoreOptions& options,
                                                         const ReaderOptions& reader) {
  FM_ASSIGN_OR_RETURN(std::unique_ptr<Impl> impl, MakeImpl(std::move(catalog), options));
  FM_ASSIGN_OR_RETURN(impl->reader, MakeReader(reader));
  if (options.wrap_reader) impl->reader = options.wrap_reader(std::move(impl->reader));
  return std::unique_ptr<ExpertStore>(new ExpertStore(std::move(impl)));
}

Result<std::unique_ptr<ExpertStore>> ExpertStore::Create(ExpertCatalog catalog,
                                                         const StoreOptions& options,
                                                         std::unique_ptr<AsyncReader> reader) {
  FM_CHECK(reader != nullptr);
  FM_ASSIGN_OR_RETURN(std::unique_ptr<Impl> impl, MakeImpl(std::move(catalog), options));
  impl->reader = std::move(reader);
  return std::unique_ptr<ExpertStore>(new ExpertStore(std::move(impl)));
}

ExpertStore::ExpertStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ExpertStore::~ExpertStore() { FM_CHECK(!impl_->streaming); }

Result<ExpertStream> ExpertStore::Stream(int layer, std::span<const int> experts,
                                         std::span<const int32_t> chosen,
                                         const std::function<bool()>* stop) {
  FM_RETURN_IF_ERROR(impl_->Begin(layer, experts, chosen, stop));
  return ExpertStream(this);
}

bool ExpertStore::WantsGuesses(int layer) const { return impl_->WantsGuesses(layer); }

void ExpertStore::Expect(int layer, std::span<const ExpertGuess> guesses, int at_once) {
  impl_->Expect(layer, guesses, at_once);
}

void ExpertStore::Poll() { impl_->Poll(); }

void ExpertStore::AwaitMemory() { impl_->prefault.Wait(); }

void ExpertStore::LimitSlots(uint64_t slots) {
  impl_->LimitSlots(std::clamp(slots, slots_min(), slots_made()));
}

void ExpertStore::Clear() { impl_->Clear(); }

const ExpertCatalog& ExpertStore::catalog() const { return impl_->catalog; }
const AsyncReader& ExpertStore::reader() const { return *impl_->reader; }
uint64_t ExpertStore::slots() const { return impl_->cache.slots(); }
uint64_t ExpertStore::slots_made() const { return impl_->fills.size(); }
uint64_t ExpertStore::slots_min() const { return impl_->floors; }
uint64_t ExpertStore::slots_used() const { return impl_->cache.used(); }
bool ExpertStore::IsResident(int layer, int expert) const {
  const ExpertCache& cache = impl_->cache;
  const uint32_t slot = cache.Find(cache.KeyOf(layer, expert));
  return slot != ExpertCache::kNoSlot && cache.resident(slot);
}
const StoreStats& ExpertStore::stats() const { return impl_->stats; }
void ExpertStore::ResetStats() { impl_->stats = {}; }

}  // namespace flashmoe
