// Any bytes as a list of experts, as they are and with digests that fit: an error, or a list that
// can be asked for each expert.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "engine/resident_experts.h"

namespace {

constexpr size_t kModelAt = 24, kContentAt = 40, kDigestAt = 56, kHeaderBytes = 72;
constexpr flashmoe::Digest kModel = {1, 2};

void Read(const std::vector<std::byte>& bytes) {
  const int fd = memfd_create("experts", MFD_CLOEXEC);
  FM_CHECK(fd >= 0);
  FM_CHECK(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  const auto list = flashmoe::ReadResidentExperts("/proc/self/fd/" + std::to_string(fd), kModel);
  close(fd);
  if (!list.has_value()) {
    FM_CHECK(!list.error().what.empty());
    return;
  }
  uint64_t count = 0;
  for (int layer = 0; layer < list->layers; ++layer) {
    for (int expert = 0; expert < list->experts; ++expert) count += list->Has(layer, expert);
  }
  FM_CHECK(count <= list->count());
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
  put(kModelAt, kModel);
  put(kContentAt, flashmoe::DigestOf(std::span(bytes).subspan(kHeaderBytes)));
  put(kDigestAt, flashmoe::DigestOf(std::span(bytes).first(kDigestAt)));
  Read(bytes);
  return 0;
}
