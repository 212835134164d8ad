// Any bytes as a file of a checkpoint, as they are and with digests that fit: an error, or a
// checkpoint whose parts are as long as its header says.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "state/checkpoint_file.h"
#include "state/digest.h"

namespace {

constexpr size_t kContentAt = 96, kDigestAt = 112, kHeaderBytes = 128;

void Read(const std::vector<std::byte>& bytes) {
  const int fd = memfd_create("checkpoint", MFD_CLOEXEC);
  FM_CHECK(fd >= 0);
  FM_CHECK(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const auto header = flashmoe::ReadCheckpointHeader(path);
  if (header.has_value()) {
    FM_CHECK(header->begin < header->end && header->file_bytes() == bytes.size());
    const auto checkpoint = flashmoe::ReadCheckpoint(path, header->model);
    if (checkpoint.has_value()) {
      FM_CHECK(checkpoint->tokens.size() == static_cast<size_t>(header->end - header->begin));
      FM_CHECK(checkpoint->positions.size() == header->position_bytes);
      FM_CHECK(checkpoint->recurrent.size() == header->recurrent_bytes);
    } else {
      FM_CHECK(!checkpoint.error().what.empty());
    }
  } else {
    FM_CHECK(!header.error().what.empty());
  }
  close(fd);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> bytes(begin, begin + size);
  Read(bytes);
  if (size < kHeaderBytes) return 0;
  const auto put = [&](size_t at, const flashmoe::Digest& digest) {
    std::memcpy(bytes.data() + at, &digest, sizeof digest);
  };
  put(kContentAt, flashmoe::DigestOf(std::span(bytes).subspan(kHeaderBytes)));
  put(kDigestAt, flashmoe::DigestOf(std::span(bytes).first(kDigestAt)));
  Read(bytes);
  return 0;
}
