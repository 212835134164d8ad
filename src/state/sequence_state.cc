#include "state/sequence_state.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace flashmoe {

uint64_t StateShape::bytes_per_position() const {
  const auto layers = std::count(is_attention.begin(), is_attention.end(), true);
  return static_cast<uint64_t>(layers * 2 * kv_bytes);
}

uint64_t StateShape::fixed_bytes() const {
  const auto layers = std::count(is_attention.begin(), is_attention.end(), false);
  return static_cast<uint64_t>(layers) * sizeof(float) *
         static_cast<uint64_t>(delta_floats + conv_floats);
}

uint64_t StateShape::bytes() const {
  return static_cast<uint64_t>(context) * bytes_per_position() + fixed_bytes();
}

Result<SequenceState> SequenceState::Create(StateShape shape) {
  SequenceState state(std::move(shape));
  uint64_t kv_bytes = 0, recurrent_bytes = 0;
  for (const bool attention : state.shape_.is_attention) {
    state.offsets_.push_back(attention ? kv_bytes : recurrent_bytes);
    if (attention) {
      kv_bytes += 2 * state.KvLayerBytes();
    } else {
      recurrent_bytes += sizeof(float) * static_cast<uint64_t>(state.shape_.delta_floats +
                                                               state.shape_.conv_floats);
    }
  }
  if (kv_bytes > 0) {
    FM_ASSIGN_OR_RETURN(state.kv_, Memory::Allocate(kv_bytes));
  }
  if (recurrent_bytes > 0) {
    FM_ASSIGN_OR_RETURN(state.recurrent_, Memory::Allocate(recurrent_bytes));
  }
  return state;
}

uint64_t SequenceState::KvLayerBytes() const {
  return static_cast<uint64_t>(shape_.context * shape_.kv_bytes);
}

std::byte* SequenceState::keys(int layer) const {
  FM_CHECK(shape_.is_attention[layer]);
  return kv_.data() + offsets_[layer];
}

std::byte* SequenceState::values(int layer) const { return keys(layer) + KvLayerBytes(); }

float* SequenceState::delta(int layer) const {
  FM_CHECK(!shape_.is_attention[layer]);
  return reinterpret_cast<float*>(recurrent_.data() + offsets_[layer]);
}

float* SequenceState::conv(int layer) const { return delta(layer) + shape_.delta_floats; }

void SequenceState::Reset() {
  position_ = 0;
  // Keys and values beyond the position are never read.
  if (recurrent_.size() > 0) std::memset(recurrent_.data(), 0, recurrent_.size());
}

void SequenceState::ReleasePositions() {
  FM_CHECK(position_ == 0);
  kv_.Discard();
}

void SequenceState::CopyPositions(int64_t begin, int64_t end, std::span<std::byte> to) const {
  const auto bytes = static_cast<size_t>((end - begin) * shape_.kv_bytes);
  for (size_t layer = 0; layer < shape_.is_attention.size(); ++layer) {
    if (!shape_.is_attention[layer]) continue;
    for (const std::byte* from : {keys(static_cast<int>(layer)), values(static_cast<int>(layer))}) {
      std::memcpy(to.data(), from + begin * shape_.kv_bytes, bytes);
      to = to.subspan(bytes);
    }
  }
  FM_CHECK(to.empty());
}

void SequenceState::TakePositions(int64_t begin, int64_t end, std::span<const std::byte> from) {
  FM_CHECK(begin <= end && end <= shape_.context);
  const auto bytes = static_cast<size_t>((end - begin) * shape_.kv_bytes);
  for (size_t layer = 0; layer < shape_.is_attention.size(); ++layer) {
    if (!shape_.is_attention[layer]) continue;
    for (std::byte* to : {keys(static_cast<int>(layer)), values(static_cast<int>(layer))}) {
      std::memcpy(to + begin * shape_.kv_bytes, from.data(), bytes);
      from = from.subspan(bytes);
    }
  }
  FM_CHECK(from.empty());
}

void SequenceState::CopyRecurrent(int layer, std::span<std::byte> to) const {
  FM_CHECK(to.size() == recurrent_.size());
  const auto bytes = sizeof(float) * static_cast<size_t>(shape_.delta_floats + shape_.conv_floats);
  std::memcpy(to.data() + offsets_[static_cast<size_t>(layer)], delta(layer), bytes);
}

void SequenceState::Resume(int64_t position, std::span<const std::byte> recurrent) {
  FM_CHECK(recurrent.size() == recurrent_.size());
  if (!recurrent.empty()) std::memcpy(recurrent_.data(), recurrent.data(), recurrent.size());
  position_ = position;
}

}  // namespace flashmoe
