// Any bytes as a safetensors file: an error, or a directory that keeps the contract of
// model_file.h. The same bytes as an index and as a chat template: no file outside the folder.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/check.h"
#include "format/folder.h"
#include "format/identify.h"
#include "format/safetensors.h"
#include "format/safetensors_loader.h"

namespace {

void CheckPart(const flashmoe::MemorySource& source) {
  const auto part = flashmoe::ParseSafetensors(source);
  if (!part.has_value()) {
    FM_CHECK(!part.error().what.empty());
    return;
  }
  const uint64_t size = source.size();
  for (const auto& tensor : part->tensors) {
    FM_CHECK(tensor.bytes > 0 && tensor.offset <= size && tensor.bytes <= size - tensor.offset);
    FM_CHECK(tensor.elements() > 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const flashmoe::MemorySource source("f.safetensors", bytes);
  static_cast<void>(flashmoe::Identify(source));
  CheckPart(source);

  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto files = flashmoe::ParseSafetensorsIndex(text, "f"); files.has_value()) {
    for (const auto& name : *files) FM_CHECK(flashmoe::IsPlainFileName(name));
  }
  static_cast<void>(flashmoe::ParseChatTemplate(text, "f"));
  return 0;
}
