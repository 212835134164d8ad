#include "synth/weightless_model.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "synth/random_model.h"

namespace flashmoe {
namespace {

std::unexpected<Error> NoFile() {
  return Fail(ErrorCode::kIo, "this system has no files in memory (memfd_create, /proc)", {},
              "write the model with flashmoe synth and give it with --model");
}

// A descriptor that is closed at the end.
struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

Result<std::unique_ptr<ModelFile>> OpenWithoutWeights(const ModelConfig& config,
                                                      const GgufTypes& types) {
  FM_RETURN_IF_ERROR(CheckGgufTypes(config, types));
  FM_ASSIGN_OR_RETURN(GgufWriter writer, BeginRandomModel(config));
  for (const TensorSpec& tensor : ListGgufTensors(config)) {
    writer.AddTensor(tensor.name, types.Of(tensor.role), tensor.shape, GgufWriter::Provider());
  }
  const std::string header = writer.Header();
  const Descriptor file{memfd_create("geometry", MFD_CLOEXEC)};
  if (file.fd < 0) return NoFile();
  size_t done = 0;
  while (done < header.size()) {
    const ssize_t n = write(file.fd, header.data() + done, header.size() - done);
    if (n <= 0) return NoFile();
    done += static_cast<size_t>(n);
  }
  if (ftruncate(file.fd, static_cast<off_t>(writer.TotalBytes())) != 0) return NoFile();
  // Opened once more by its name; the weights' pages are never made.
  return ModelFile::Open(fmt::format("/proc/self/fd/{}", file.fd));
}

}  // namespace flashmoe
