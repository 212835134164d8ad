#include "state/checkpoint_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <system_error>

#include "io/private_folder.h"

namespace flashmoe {
namespace {

namespace fs = std::filesystem;

constexpr size_t kWaitingMax = 16;
constexpr char kPartSuffix[] = ".checkpoint.part";

int64_t UsedNs(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return 0;
  return int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

int64_t NowNs() {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

CheckpointFolder::CheckpointFolder(std::string folder, const Digest& model, uint64_t bytes_max,
                                   NoticeFn notice)
    : folder_(std::move(folder)),
      model_(model),
      bytes_max_(bytes_max),
      notice_(std::move(notice)) {}

Result<std::unique_ptr<CheckpointFolder>> CheckpointFolder::Open(const std::string& folder,
                                                                 const Digest& model,
                                                                 uint64_t bytes_max,
                                                                 NoticeFn notice) {
  FM_RETURN_IF_ERROR(MakePrivateFolder(folder));
  if (access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
    return Fail(ErrorCode::kIo, "the folder for checkpoints cannot be used", folder,
                "it must be a folder that may be written to");
  }
  std::unique_ptr<CheckpointFolder> result(
      new CheckpointFolder(folder, model, bytes_max, std::move(notice)));
  FM_RETURN_IF_ERROR(result->Scan());
  result->writer_ = std::thread([raw = result.get()] { raw->RunWriter(); });
  return result;
}

CheckpointFolder::~CheckpointFolder() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    work_.notify_one();
  }
  if (writer_.joinable()) writer_.join();
  Poll();
}

Status CheckpointFolder::Scan() {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(kPartSuffix)) {
      std::error_code ignored;
      fs::remove(entry.path(), ignored);
    } else if (name.ends_with(kCheckpointSuffix)) {
      const Result<CheckpointHeader> header = ReadCheckpointHeader(PathOf(name));
      if (!header.has_value()) {
        Ignore(header.error());
        continue;
      }
      Add(name, *header, UsedNs(PathOf(name)));
      if (header->model == model_) found_.push_back(*header);
    }
  }
  if (error) return Fail(ErrorCode::kIo, "cannot list the folder: " + error.message(), folder_);
  return {};
}

void CheckpointFolder::Add(const std::string& name, const CheckpointHeader& header,
                           int64_t used_ns) {
  Entry& entry = entries_[name];
  bytes_ += header.file_bytes() - entry.bytes;
  entry = {header.file_bytes(), used_ns, header.model == model_, header.key};
}

void CheckpointFolder::Ignore(const Error& error) {
  ++damaged_;
  if (notice_) notice_(error);
}

bool CheckpointFolder::Write(std::shared_ptr<const Checkpoint> checkpoint) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= kWaitingMax) return false;
  waiting_.push_back(std::move(checkpoint));
  work_.notify_one();
  return true;
}

CheckpointFolder::News CheckpointFolder::Poll() {
  std::vector<Done> done;
  {
    const std::lock_guard lock(mutex_);
    done.swap(done_);
  }
  News news;
  for (const Done& d : done) {
    const Checkpoint& c = *d.checkpoint;
    if (!d.status.has_value()) {
      if (notice_) notice_(d.status.error());
      news.failed.push_back(c.key);
      continue;
    }
    Add(CheckpointName(model_, c.key), HeaderOf(model_, c), NowNs());
    news.written.push_back(c.key);
  }
  RemoveOldest(news.removed);
  return news;
}

// What was used last stays, and what others build on longer than they: see Touch().
void CheckpointFolder::RemoveOldest(std::vector<Digest>& removed) {
  while (bytes_ > bytes_max_ && !entries_.empty()) {
    const auto oldest =
        std::ranges::min_element(entries_, {}, [](const auto& e) { return e.second.used_ns; });
    std::error_code ignored;
    fs::remove(PathOf(oldest->first), ignored);
    if (oldest->second.own) removed.push_back(oldest->second.key);
    bytes_ -= oldest->second.bytes;
    entries_.erase(oldest);
  }
}

void CheckpointFolder::Flush() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return waiting_.empty() && !writing_; });
}

void CheckpointFolder::Touch(std::span<const Digest> keys) {
  for (const Digest& key : keys) {
    const std::string name = CheckpointName(model_, key);
    const auto entry = entries_.find(name);
    if (entry == entries_.end()) continue;
    entry->second.used_ns = NowNs();
    const auto ns = std::lldiv(entry->second.used_ns, 1'000'000'000);
    const timespec times[2] = {{ns.quot, ns.rem}, {ns.quot, ns.rem}};
    utimensat(AT_FDCWD, PathOf(name).c_str(), times, 0);
  }
}

std::optional<Checkpoint> CheckpointFolder::Read(const Digest& key) {
  const std::string name = CheckpointName(model_, key);
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) return std::nullopt;
  Result<Checkpoint> checkpoint = ReadCheckpoint(PathOf(name), model_);
  if (checkpoint.has_value() && checkpoint->key == key) return std::move(*checkpoint);
  Ignore(checkpoint.has_value()
             ? Error{ErrorCode::kInvalidInput, "a checkpoint under another's name", PathOf(name),
                     "the file is ignored and may be deleted", 0}
             : checkpoint.error());
  bytes_ -= entry->second.bytes;
  entries_.erase(entry);
  return std::nullopt;
}

void CheckpointFolder::RunWriter() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::shared_ptr<const Checkpoint> next = std::move(waiting_.front());
    waiting_.pop_front();
    writing_ = true;
    lock.unlock();
    Status status = WriteCheckpoint(PathOf(CheckpointName(model_, next->key)), model_, *next);
    lock.lock();
    done_.push_back({std::move(next), std::move(status)});
    writing_ = false;
    idle_.notify_all();
  }
}

}  // namespace flashmoe
