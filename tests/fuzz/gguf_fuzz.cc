// Any bytes as a GGUF file: an error, or a directory that keeps the contract of model_file.h.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "format/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const flashmoe::MemorySource source("f.gguf", std::as_bytes(std::span(data, size)));
  const auto part = flashmoe::ParseGguf(source);
  if (!part.has_value()) {
    FM_CHECK(!part.error().what.empty());
    return 0;
  }
  FM_CHECK(part->metadata.is_object());
  part->metadata.dump();  // throws on invalid UTF-8
  for (const auto& tensor : part->tensors) {
    FM_CHECK(tensor.bytes > 0 && tensor.offset <= size && tensor.bytes <= size - tensor.offset);
    FM_CHECK(tensor.elements() > 0);
  }
  return 0;
}
