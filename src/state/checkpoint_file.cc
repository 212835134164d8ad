#include "state/checkpoint_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cstring>
#include <filesystem>

#include "format/output_file.h"
#include "io/file.h"
#include "state/digest.h"

namespace flashmoe {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::array<char, 8> kMagic = {'F', 'M', 'O', 'E', 'C', 'K', 'P', 'T'};
constexpr uint32_t kVersion = 1;

// No sequence is longer; a bound for sizes that are added up.
constexpr int64_t kPositionsMax = int64_t{1} << 32;
constexpr uint64_t kBytesMax = uint64_t{1} << 40;

struct Stored {
  std::array<char, 8> magic = kMagic;
  uint32_t version = kVersion;
  uint32_t header_bytes = sizeof(Stored);
  CheckpointHeader header;
  Digest digest;  // of all before it
};
static_assert(sizeof(CheckpointHeader) == 96 && sizeof(Stored) == 128);
static_assert(std::is_trivially_copyable_v<Stored>);

Digest DigestOfStored(const Stored& stored) {
  return DigestOf(std::as_bytes(std::span(&stored, 1)).first(offsetof(Stored, digest)));
}

Digest DigestOfContent(const Checkpoint& c) {
  const std::array<std::span<const std::byte>, 3> pieces = {std::as_bytes(std::span(c.tokens)),
                                                            c.positions, c.recurrent};
  return DigestOf(pieces);
}

std::unexpected<Error> Damaged(std::string what, const std::string& path) {
  return InvalidInput(std::move(what), path, "the file is ignored and may be deleted");
}

void SyncFolder(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

Result<CheckpointHeader> ReadHeader(const File& file) {
  Stored stored;
  if (file.size() < sizeof stored) return Damaged("too short for a checkpoint", file.path());
  FM_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(&stored, 1))));
  if (stored.magic != kMagic) return Damaged("no checkpoint", file.path());
  if (stored.version != kVersion || stored.header_bytes != sizeof stored) {
    return Damaged(
        fmt::format("a checkpoint of version {}; this program knows {}", stored.version, kVersion),
        file.path());
  }
  if (stored.digest != DigestOfStored(stored)) {
    return Damaged("a checkpoint with a damaged header", file.path());
  }
  const CheckpointHeader& h = stored.header;
  const bool plausible = h.begin >= 0 && h.begin < h.end && h.end <= kPositionsMax &&
                         h.position_bytes <= kBytesMax && h.recurrent_bytes <= kBytesMax;
  if (!plausible || h.file_bytes() != file.size()) {
    return Damaged(fmt::format("a checkpoint of {} bytes that should have {}", file.size(),
                               plausible ? h.file_bytes() : 0),
                   file.path());
  }
  return h;
}

}  // namespace

uint64_t CheckpointHeader::file_bytes() const {
  return sizeof(Stored) + static_cast<uint64_t>(end - begin) * sizeof(int32_t) + position_bytes +
         recurrent_bytes;
}

CheckpointHeader HeaderOf(const Digest& model, const Checkpoint& c) {
  return {.model = model,
          .key = c.key,
          .parent = c.parent,
          .begin = c.begin,
          .end = c.end,
          .position_bytes = c.positions.size(),
          .recurrent_bytes = c.recurrent.size(),
          .content = {}};
}

std::string CheckpointName(const Digest& model, const Digest& key) {
  return fmt::format("{:016x}-{:016x}{:016x}{}", model.low, key.high, key.low, kCheckpointSuffix);
}

Status WriteCheckpoint(const std::string& path, const Digest& model, const Checkpoint& c) {
  Stored stored;
  stored.header = HeaderOf(model, c);
  stored.header.content = DigestOfContent(c);
  stored.digest = DigestOfStored(stored);
  FM_ASSIGN_OR_RETURN(OutputFile file, OutputFile::CreatePrivate(path));
  FM_RETURN_IF_ERROR(file.Reserve(stored.header.file_bytes()));
  FM_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(&stored, 1))));
  FM_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(c.tokens))));
  FM_RETURN_IF_ERROR(file.Append(c.positions));
  FM_RETURN_IF_ERROR(file.Append(c.recurrent));
  FM_RETURN_IF_ERROR(file.Sync());
  FM_RETURN_IF_ERROR(file.Finish());
  SyncFolder(path);
  return {};
}

Result<CheckpointHeader> ReadCheckpointHeader(const std::string& path) {
  FM_ASSIGN_OR_RETURN(const auto file, File::Open(path));
  return ReadHeader(*file);
}

Result<Checkpoint> ReadCheckpoint(const std::string& path, const Digest& model) {
  FM_ASSIGN_OR_RETURN(const auto file, File::Open(path));
  FM_ASSIGN_OR_RETURN(const CheckpointHeader header, ReadHeader(*file));
  if (header.model != model) return Damaged("a checkpoint of another model", path);
  Checkpoint c;
  c.key = header.key;
  c.parent = header.parent;
  c.begin = header.begin;
  c.end = header.end;
  c.tokens.resize(static_cast<size_t>(header.end - header.begin));
  c.positions.resize(header.position_bytes);
  c.recurrent.resize(header.recurrent_bytes);
  uint64_t offset = sizeof(Stored);
  for (const std::span<std::byte> piece : {std::as_writable_bytes(std::span(c.tokens)),
                                           std::span(c.positions), std::span(c.recurrent)}) {
    FM_RETURN_IF_ERROR(file->ReadAt(offset, piece));
    offset += piece.size();
  }
  if (DigestOfContent(c) != header.content) return Damaged("a damaged checkpoint", path);
  return c;
}

}  // namespace flashmoe
