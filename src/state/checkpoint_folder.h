// A folder of checkpoints of one model: what is there, and a thread that writes new ones, so that
// nobody waits for the disk. Other models' checkpoints count for the folder's limit and leave it
// like one's own; files that are no checkpoints are never touched.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "state/checkpoint.h"
#include "state/checkpoint_file.h"

namespace flashmoe {

using NoticeFn = std::function<void(const Error&)>;

// Used by one thread, besides its own.
class CheckpointFolder {
 public:
  // Makes the folder if need be, looks through it and removes what an interrupted write left.
  // `notice` hears of every file that is ignored, and of writes that failed.
  static Result<std::unique_ptr<CheckpointFolder>> Open(const std::string& folder,
                                                        const Digest& model, uint64_t bytes_max,
                                                        NoticeFn notice);
  // Writes what is waiting first.
  ~CheckpointFolder();

  // Headers of this model's files, as of Open().
  const std::vector<CheckpointHeader>& found() const { return found_; }

  // Writes it some time later. Returns false if too much is waiting already.
  bool Write(std::shared_ptr<const Checkpoint> checkpoint);
  // Keys of what has been written since the last call, with those that failed. `removed`: those
  // whose files had to leave.
  struct News {
    std::vector<Digest> written, failed, removed;
  };
  News Poll();
  // Waits until nothing is being written.
  void Flush();

  // They were used now; those that others build on come last, and so leave last.
  void Touch(std::span<const Digest> keys);

  // nullopt, after a notice, if the file is gone or damaged; it is then forgotten.
  std::optional<Checkpoint> Read(const Digest& key);

  uint64_t bytes() const { return bytes_; }      // of all checkpoints in the folder
  uint64_t damaged() const { return damaged_; }  // files that were ignored

 private:
  struct Entry {
    uint64_t bytes = 0;
    int64_t used_ns = 0;  // the file's time, which is that of its last use
    bool own = false;
    Digest key;
  };
  CheckpointFolder(std::string folder, const Digest& model, uint64_t bytes_max, NoticeFn notice);

  Status Scan();
  void Add(const std::string& name, const CheckpointHeader& header, int64_t used_ns);
  void Ignore(const Error& error);
  void RemoveOldest(std::vector<Digest>& removed);
  std::string PathOf(const std::string& name) const { return folder_ + "/" + name; }
  void RunWriter();

  const std::string folder_;
  const Digest model_;
  const uint64_t bytes_max_;
  const NoticeFn notice_;
  std::vector<CheckpointHeader> found_;
  std::unordered_map<std::string, Entry> entries_;  // by file name
  uint64_t bytes_ = 0, damaged_ = 0;

  struct Done {
    std::shared_ptr<const Checkpoint> checkpoint;
    Status status;
  };
  std::mutex mutex_;
  std::condition_variable work_, idle_;
  std::deque<std::shared_ptr<const Checkpoint>> waiting_;
  std::vector<Done> done_;
  bool writing_ = false, ending_ = false;
  std::thread writer_;
};

}  // namespace flashmoe
