#include "measure/disk_speed.h"

#include <algorithm>
#include <vector>

#include "base/clock.h"
#include "base/memory.h"
#include "synth/random.h"

namespace flashmoe {
namespace {

constexpr double kSeconds = 0.35;

}  // namespace

Result<DiskSpeed> MeasureDisk(const File& file, uint64_t piece_bytes,
                              const ReaderOptions& options) {
  const uint64_t piece = std::min(piece_bytes, file.size());
  const uint64_t slot = SlotBytes(kBlockBytes - 1, piece);
  const auto depth = static_cast<uint64_t>(options.queue_depth);
  FM_ASSIGN_OR_RETURN(const Memory memory, Memory::Allocate(depth * slot));
  ReaderOptions with_buffers = options;
  with_buffers.buffers = memory.span();
  FM_ASSIGN_OR_RETURN(const std::unique_ptr<AsyncReader> reader, MakeReader(with_buffers));
  Random random(static_cast<uint64_t>(NowSeconds() * 1e9));
  const auto submit = [&](uint64_t place) {
    const uint64_t offset = random.Next() % (file.size() - piece + 1);
    reader->Submit({&file, offset, piece, memory.data() + place * slot, place});
  };

  DiskSpeed speed;
  speed.reader = reader->name();
  const double start_s = NowSeconds();
  for (uint64_t place = 0; place < depth; ++place) submit(place);
  reader->Flush();
  uint64_t bytes = 0;
  std::vector<ReadCompletion> done;
  while (reader->in_flight() > 0) {
    done.clear();
    reader->Reap(/*wait=*/true, done);
    const bool more = NowSeconds() - start_s < kSeconds;
    for (ReadCompletion& completion : done) {
      FM_RETURN_IF_ERROR(std::move(completion.status));
      bytes += piece;
      if (more) submit(completion.tag);
    }
    if (more) reader->Flush();
  }
  speed.bytes_per_s = static_cast<double>(bytes) / (NowSeconds() - start_s);
  return speed;
}

}  // namespace flashmoe
