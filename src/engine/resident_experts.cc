#include "engine/resident_experts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>

#include "format/output_file.h"
#include "io/file.h"

namespace flashmoe {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::array<char, 8> kMagic = {'F', 'M', 'O', 'E', 'E', 'X', 'P', 'S'};
constexpr uint32_t kVersion = 1;
constexpr uint32_t kLayersMax = 1 << 16, kExpertsMax = 1 << 20;

// Little-endian; the bits follow.
struct Stored {
  std::array<char, 8> magic = kMagic;
  uint32_t version = kVersion;
  uint32_t layers = 0, experts = 0;
  uint32_t reserved = 0;
  Digest model;
  Digest content;  // of the bits
  Digest digest;   // of all before it
};
static_assert(sizeof(Stored) == 72);

Digest DigestOfStored(const Stored& stored) {
  return DigestOf(std::as_bytes(std::span(&stored, 1)).first(offsetof(Stored, digest)));
}

std::unexpected<Error> Damaged(std::string what, const std::string& path) {
  return InvalidInput(std::move(what), path, "the file is ignored and may be deleted");
}

size_t RowBytes(int experts) { return (static_cast<size_t>(experts) + 7) / 8; }

}  // namespace

ResidentExperts ResidentExperts::None(int layers, int experts) {
  return {layers, experts, std::vector<std::byte>(static_cast<size_t>(layers) * RowBytes(experts))};
}

ResidentExperts ResidentExperts::Of(const ExpertStore& store) {
  const ExpertCatalog& catalog = store.catalog();
  ResidentExperts resident = None(catalog.layers(), catalog.experts());
  for (int layer = 0; layer < resident.layers; ++layer) {
    for (int expert = 0; expert < resident.experts; ++expert) {
      if (store.IsResident(layer, expert)) resident.Add(layer, expert);
    }
  }
  return resident;
}

bool ResidentExperts::Has(int layer, int expert) const {
  const std::byte byte =
      bits[static_cast<size_t>(layer) * RowBytes(experts) + static_cast<size_t>(expert) / 8];
  return (byte >> (expert % 8) & std::byte{1}) != std::byte{0};
}

void ResidentExperts::Add(int layer, int expert) {
  bits[static_cast<size_t>(layer) * RowBytes(experts) + static_cast<size_t>(expert) / 8] |=
      std::byte{1} << (expert % 8);
}

uint64_t ResidentExperts::count() const {
  uint64_t count = 0;
  for (const std::byte byte : bits) {
    count += static_cast<uint64_t>(std::popcount(static_cast<uint8_t>(byte)));
  }
  return count;
}

Status WriteResidentExperts(const std::string& path, const Digest& model,
                            const ResidentExperts& resident) {
  Stored stored;
  stored.layers = static_cast<uint32_t>(resident.layers);
  stored.experts = static_cast<uint32_t>(resident.experts);
  stored.model = model;
  stored.content = DigestOf(resident.bits);
  stored.digest = DigestOfStored(stored);
  FM_ASSIGN_OR_RETURN(OutputFile file, OutputFile::CreatePrivate(path));
  FM_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(&stored, 1))));
  FM_RETURN_IF_ERROR(file.Append(resident.bits));
  FM_RETURN_IF_ERROR(file.Sync());
  return file.Finish();
}

Result<ResidentExperts> ReadResidentExperts(const std::string& path, const Digest& model) {
  FM_ASSIGN_OR_RETURN(const std::shared_ptr<const File> file, File::Open(path));
  Stored stored;
  if (file->size() < sizeof stored) return Damaged("too short for a list of experts", path);
  FM_RETURN_IF_ERROR(file->ReadAt(0, std::as_writable_bytes(std::span(&stored, 1))));
  if (stored.magic != kMagic || stored.version != kVersion) {
    return Damaged("no list of experts that this program knows", path);
  }
  if (stored.digest != DigestOfStored(stored) || stored.layers > kLayersMax ||
      stored.experts > kExpertsMax) {
    return Damaged("a list of experts with a damaged header", path);
  }
  if (stored.model != model) return Damaged("a list of another model's experts", path);
  ResidentExperts resident;
  resident.layers = static_cast<int>(stored.layers);
  resident.experts = static_cast<int>(stored.experts);
  const uint64_t bytes = stored.layers * RowBytes(resident.experts);
  if (file->size() - sizeof stored != bytes) {
    return Damaged(fmt::format("a list of experts of {} bytes that should have {}", file->size(),
                               sizeof stored + bytes),
                   path);
  }
  resident.bits.resize(bytes);
  FM_RETURN_IF_ERROR(file->ReadAt(sizeof stored, resident.bits));
  if (DigestOf(resident.bits) != stored.content) return Damaged("a damaged list of experts", path);
  return resident;
}

Status FetchExperts(const ResidentExperts& resident, ExpertStore& store, const ProgressFn& progress,
                    const CancelFlag* cancel) {
  const ExpertCatalog& catalog = store.catalog();
  if (resident.layers != catalog.layers() || resident.experts != catalog.experts()) {
    return InvalidInput("the list names experts that this model has not");
  }
  const uint64_t wanted = resident.count(), room = std::min(wanted, store.slots());
  uint64_t done = 0;
  const std::function<bool()> stop = [&] { return cancel != nullptr && cancel->IsSet(); };
  for (int layer = 0; layer < resident.layers; ++layer) {
    if (stop()) {
      return Fail(ErrorCode::kCancelled, "the reading of experts was interrupted");
    }
    std::vector<int> experts;
    for (int expert = 0; expert < resident.experts; ++expert) {
      if (resident.Has(layer, expert) && !catalog.pieces(layer, expert).empty()) {
        experts.push_back(expert);
      }
    }
    experts.resize(static_cast<size_t>(experts.size() * room / std::max<uint64_t>(wanted, 1)));
    if (experts.empty()) continue;
    FM_ASSIGN_OR_RETURN(ExpertStream stream, store.Stream(layer, experts, {}, &stop));
    while (true) {
      FM_ASSIGN_OR_RETURN(const auto batch, stream.NextBatch(/*wait=*/true));
      if (batch.empty()) break;
      done += batch.size();
      const uint64_t bytes = catalog.expert_bytes(layer);
      if (progress) progress({"reading experts", done * bytes, room * bytes});
    }
  }
  return {};
}

}  // namespace flashmoe
