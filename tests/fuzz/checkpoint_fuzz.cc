// Any bytes as a file of a checkpoint, as they are and with digests that fit: an error, or a
// checkpoint whose parts are as long as its header says.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "state/checkpoint_file.h"
#include "state/digest.h"
#include "tests/fuzz/stored_file.h"

namespace {

constexpr size_t kContentAt = 96, kDigestAt = 112, kHeaderBytes = 128;

void Read(const std::vector<std::byte>& bytes) {
  flashmoe::fuzz::WithFile(bytes, [&](const std::string& path) {
    const auto header = flashmoe::ReadCheckpointHeader(path);
    if (!header.has_value()) {
      FM_CHECK(!header.error().what.empty());
      return;
    }
    FM_CHECK(header->begin < header->end && header->file_bytes() == bytes.size());
    const auto checkpoint = flashmoe::ReadCheckpoint(path, header->model);
    if (!checkpoint.has_value()) {
      FM_CHECK(!checkpoint.error().what.empty());
      return;
    }
    FM_CHECK(checkpoint->tokens.size() == static_cast<size_t>(header->end - header->begin));
    FM_CHECK(checkpoint->positions.size() == header->position_bytes);
    FM_CHECK(checkpoint->recurrent.size() == header->recurrent_bytes);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> bytes(begin, begin + size);
  Read(bytes);
  if (size < kHeaderBytes) return 0;
  flashmoe::fuzz::PutDigest(flashmoe::DigestOf(std::span(bytes).subspan(kHeaderBytes)), kContentAt,
                            bytes);
  flashmoe::fuzz::PutDigest(flashmoe::DigestOf(std::span(bytes).first(kDigestAt)), kDigestAt,
                            bytes);
  Read(bytes);
  return 0;
}
