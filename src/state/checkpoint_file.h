// Checkpoints as files: versioned, with the model they belong to and a digest of everything in
// them. Written under another name, synchronised and then renamed, so that a name always stands for
// a whole file.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "state/checkpoint.h"

namespace flashmoe {

inline constexpr char kCheckpointSuffix[] = ".checkpoint";

// What the first bytes of such a file say. Little-endian, as everything in it.
struct CheckpointHeader {
  Digest model;  // whose state this is: weights, kernels and kind of keys and values
  Digest key, parent;
  int64_t begin = 0, end = 0;
  uint64_t position_bytes = 0, recurrent_bytes = 0;
  Digest content;  // of tokens, positions and recurrent state

  uint64_t file_bytes() const;
};

// Without the digest of the content.
CheckpointHeader HeaderOf(const Digest& model, const Checkpoint& checkpoint);

// The file's name in its folder.
std::string CheckpointName(const Digest& model, const Digest& key);

// Errors name the file.
Status WriteCheckpoint(const std::string& path, const Digest& model, const Checkpoint& checkpoint);

// Fails for files that are no checkpoints, of another version, damaged in the header or shorter or
// longer than the header says.
Result<CheckpointHeader> ReadCheckpointHeader(const std::string& path);

// Fails if anything is not as it was written.
Result<Checkpoint> ReadCheckpoint(const std::string& path, const Digest& model);

}  // namespace flashmoe
