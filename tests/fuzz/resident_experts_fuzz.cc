// Any bytes as a list of experts, as they are and with digests that fit: an error, or a list that
// can be asked for each expert.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "engine/resident_experts.h"
#include "tests/fuzz/stored_file.h"

namespace {

constexpr size_t kModelAt = 24, kContentAt = 40, kDigestAt = 56, kHeaderBytes = 72;
constexpr flashmoe::Digest kModel = {1, 2};

void Read(const std::vector<std::byte>& bytes) {
  flashmoe::fuzz::WithFile(bytes, [](const std::string& path) {
    const auto list = flashmoe::ReadResidentExperts(path, kModel);
    if (!list.has_value()) {
      FM_CHECK(!list.error().what.empty());
      return;
    }
    uint64_t count = 0;
    for (int layer = 0; layer < list->layers; ++layer) {
      for (int expert = 0; expert < list->experts; ++expert) count += list->Has(layer, expert);
    }
    FM_CHECK(count <= list->count());
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> bytes(begin, begin + size);
  Read(bytes);
  if (size < kHeaderBytes) return 0;
  flashmoe::fuzz::PutDigest(kModel, kModelAt, bytes);
  flashmoe::fuzz::PutDigest(flashmoe::DigestOf(std::span(bytes).subspan(kHeaderBytes)), kContentAt,
                            bytes);
  flashmoe::fuzz::PutDigest(flashmoe::DigestOf(std::span(bytes).first(kDigestAt)), kDigestAt,
                            bytes);
  Read(bytes);
  return 0;
}
