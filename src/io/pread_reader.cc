#include <unistd.h>

#include <cerrno>

#include "io/readers.h"
#include "io/transfer.h"
#include "io/worker_reader.h"

namespace flashmoe {
namespace {

Status ReadByPread(const ReadRequest& request, bool direct) {
  Transfer transfer(request, direct);
  while (true) {
    const ssize_t n = pread(transfer.fd(), transfer.target(), transfer.length(),
                            static_cast<off_t>(transfer.position()));
    if (transfer.Take(n < 0 ? -errno : n)) return transfer.completion().status;
  }
}

}  // namespace

Result<std::unique_ptr<AsyncReader>> MakePreadReader(const ReaderOptions& options) {
  const bool direct = options.direct;
  return WorkerReader::Make(
      direct ? "pread direct" : "pread", direct, WorkersFor(options.queue_depth),
      [direct](const ReadRequest& request) { return ReadByPread(request, direct); });
}

}  // namespace flashmoe
