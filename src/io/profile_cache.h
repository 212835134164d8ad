// Profiles of devices, kept in a folder between runs: one small file for each device and kind of
// question. Whatever is not exactly what Store() writes counts as absent.
#pragma once

#include <optional>
#include <string>

#include "io/device_probe.h"
#include "io/file.h"

namespace flashmoe {

class ProfileCache {
 public:
  // `folder`: see ProbeOptions::cache_folder.
  ProfileCache(std::string folder, const File& file, uint64_t read_bytes, ReaderKind asked);

  // nullopt also if what is there is more than a week old: disks fill up and age.
  std::optional<DeviceProfile> Find() const;
  // Readers see the old content or the new one. Failing is no error: the next run measures again.
  void Store(const DeviceProfile& profile) const;

  // Where the profile lies; empty if it has no place.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::string key_;  // the first line of the file
};

}  // namespace flashmoe
