// Everything a model remembers of one sequence: keys and values of the attention layers, and the
// recurrent state and last convolution inputs of the delta-net layers.
//
// Keys and values can be cut at any position; recurrent state cannot, so a sequence is resumed from
// copies taken at exact positions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/status.h"

namespace flashmoe {

// Sizes of the state of one model. Layers are numbered as the model's; each is one of two kinds.
struct StateShape {
  std::vector<bool> is_attention;  // by layer
  int64_t context = 0;             // positions to make room for
  int64_t kv_bytes = 0;            // of the keys (or values) of one position in one layer
  int64_t delta_floats = 0;        // value_heads * value_dim * key_dim
  int64_t conv_floats = 0;         // (taps - 1) * channels

  uint64_t bytes() const;
  // Per position, and independent of positions; bytes() is context * the first + the second.
  uint64_t bytes_per_position() const;
  uint64_t fixed_bytes() const;
};

// Used by one thread at a time.
class SequenceState {
 public:
  // Zeroed, at position 0. Memory is reserved for the whole context and touched as it is used.
  static Result<SequenceState> Create(StateShape shape);

  // For sequences that share memory for fewer positions than they have room for: none takes more
  // than it uses, give or take a page a layer. REQUIRES: nothing was taken in yet.
  void TakeOnlyWhatIsUsed() { kv_.UseSmallPages(); }

  int64_t position() const { return position_; }
  int64_t context() const { return shape_.context; }
  // After all layers have taken in `tokens` more.
  void Advance(int64_t tokens) { position_ += tokens; }

  // Keys and values: position p at p * kv_bytes. REQUIRES: an attention layer.
  std::byte* keys(int layer) const;
  std::byte* values(int layer) const;
  // REQUIRES: a delta-net layer. delta: [value_heads, value_dim, key_dim]; conv: the inputs of the
  // last taps - 1 positions, oldest first, [taps - 1, channels].
  float* delta(int layer) const;
  float* conv(int layer) const;

  // Back to position 0 with everything forgotten.
  void Reset();
  // Gives the memory of keys and values back to the system, which returns it zeroed when it is
  // touched again. REQUIRES: position 0.
  void ReleasePositions();

  // Keys and values of positions [begin, end) of all layers: StateShape::bytes_per_position() each.
  void CopyPositions(int64_t begin, int64_t end, std::span<std::byte> to) const;
  void TakePositions(int64_t begin, int64_t end, std::span<const std::byte> from);
  // The recurrent state of a delta-net layer, in its place among that of all layers:
  // StateShape::fixed_bytes().
  void CopyRecurrent(int layer, std::span<std::byte> to) const;
  // Of all layers.
  std::span<const std::byte> recurrent() const { return recurrent_.span(); }
  // Continues at `position`, whose recurrent state this is. REQUIRES: TakePositions() of all
  // before.
  void Resume(int64_t position, std::span<const std::byte> recurrent);

 private:
  explicit SequenceState(StateShape shape) : shape_(std::move(shape)) {}
  uint64_t KvLayerBytes() const;

  StateShape shape_;
  int64_t position_ = 0;
  std::vector<uint64_t> offsets_;  // by layer, into recurrent_ or kv_
  Memory kv_;         // per attention layer: keys, then values, [context, kv_bytes] each
  Memory recurrent_;  // per delta-net layer: delta, then conv
};

}  // namespace flashmoe
