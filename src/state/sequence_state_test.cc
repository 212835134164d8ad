#include "state/sequence_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace flashmoe {
namespace {

// Delta net, attention, delta net, attention.
StateShape Shape(int64_t context = 16) {
  StateShape shape;
  shape.is_attention = {false, true, false, true};
  shape.context = context;
  shape.kv_bytes = 48;
  shape.delta_floats = 20;
  shape.conv_floats = 9;
  return shape;
}

SequenceState Create(const StateShape& shape) {
  auto state = SequenceState::Create(shape);
  EXPECT_TRUE(state.has_value());
  return std::move(*state);
}

// Different numbers everywhere, up to `position`.
void Fill(SequenceState& state, const StateShape& shape, int seed, int64_t position) {
  for (size_t i = 0; i < shape.is_attention.size(); ++i) {
    const int layer = static_cast<int>(i);
    if (shape.is_attention[i]) {
      std::memset(state.keys(layer), seed + layer, position * shape.kv_bytes);
      std::memset(state.values(layer), seed + layer + 50, position * shape.kv_bytes);
    } else {
      std::fill_n(state.delta(layer), shape.delta_floats, static_cast<float>(seed + layer));
      std::fill_n(state.conv(layer), shape.conv_floats, static_cast<float>(seed + layer + 50));
    }
  }
  state.Advance(position - state.position());
}

TEST(StateShapeTest, SizesCountEachKindOfLayer) {
  const StateShape shape = Shape();
  EXPECT_EQ(shape.bytes_per_position(), 2u * 2 * 48);
  EXPECT_EQ(shape.fixed_bytes(), 2u * 4 * (20 + 9));
  EXPECT_EQ(shape.bytes(), 16 * shape.bytes_per_position() + shape.fixed_bytes());
}

TEST(SequenceStateTest, BeginsZeroedAndDisjoint) {
  const StateShape shape = Shape();
  SequenceState state = Create(shape);
  EXPECT_EQ(state.position(), 0);
  EXPECT_EQ(state.context(), 16);
  for (const int layer : {0, 2}) {
    EXPECT_EQ(std::count(state.delta(layer), state.delta(layer) + 20, 0.0f), 20);
    EXPECT_EQ(std::count(state.conv(layer), state.conv(layer) + 9, 0.0f), 9);
  }
  Fill(state, shape, 1, 16);
  EXPECT_EQ(std::to_integer<int>(state.keys(1)[0]), 2);
  EXPECT_EQ(std::to_integer<int>(state.keys(1)[16 * 48 - 1]), 2);
  EXPECT_EQ(std::to_integer<int>(state.values(1)[16 * 48 - 1]), 52);
  EXPECT_EQ(std::to_integer<int>(state.keys(3)[0]), 4);
  EXPECT_EQ(state.delta(0)[19], 1.0f);
  EXPECT_EQ(state.conv(0)[8], 51.0f);
  EXPECT_EQ(state.delta(2)[0], 3.0f);
}

TEST(SequenceStateTest, ResetForgetsWhatIsRecurrent) {
  const StateShape shape = Shape();
  SequenceState state = Create(shape);
  Fill(state, shape, 1, 7);
  state.Reset();
  EXPECT_EQ(state.position(), 0);
  for (const int layer : {0, 2}) {
    EXPECT_EQ(std::count(state.delta(layer), state.delta(layer) + 20, 0.0f), 20);
    EXPECT_EQ(std::count(state.conv(layer), state.conv(layer) + 9, 0.0f), 9);
  }
}

// What a checkpoint holds of it.
struct Copy {
  int64_t position = 0;
  std::vector<std::byte> positions, recurrent;
  bool operator==(const Copy&) const = default;
};
Copy CopyOf(const SequenceState& state, const StateShape& shape) {
  Copy copy = {state.position(), {}, {}};
  copy.positions.resize(static_cast<size_t>(copy.position) * shape.bytes_per_position());
  state.CopyPositions(0, copy.position, copy.positions);
  copy.recurrent.resize(shape.fixed_bytes());
  for (size_t layer = 0; layer < shape.is_attention.size(); ++layer) {
    if (!shape.is_attention[layer]) state.CopyRecurrent(static_cast<int>(layer), copy.recurrent);
  }
  return copy;
}
void GoBackTo(const Copy& copy, SequenceState& state) {
  state.TakePositions(0, copy.position, copy.positions);
  state.Resume(copy.position, copy.recurrent);
}

TEST(SequenceStateTest, ACopyGoesBackIntoAnyStateWithRoom) {
  const StateShape shape = Shape();
  SequenceState state = Create(shape);
  Fill(state, shape, 1, 5);
  const Copy copy = CopyOf(state, shape);
  Fill(state, shape, 101, 16);
  EXPECT_NE(CopyOf(state, shape), copy);
  GoBackTo(copy, state);
  EXPECT_EQ(CopyOf(state, shape), copy);

  // With room for more or fewer positions.
  for (const int64_t context : {5, 40}) {
    SequenceState other = Create(Shape(context));
    GoBackTo(copy, other);
    EXPECT_EQ(CopyOf(other, shape), copy);
    EXPECT_EQ(std::to_integer<int>(other.values(3)[5 * 48 - 1]), 54);
  }
}

TEST(SequenceStateTest, ModelsOfOneKindOfLayerWork) {
  for (const bool attention : {false, true}) {
    StateShape shape = Shape();
    shape.is_attention = {attention, attention};
    SequenceState state = Create(shape);
    Fill(state, shape, 3, 2);
    const Copy copy = CopyOf(state, shape);
    state.Reset();
    GoBackTo(copy, state);
    EXPECT_EQ(CopyOf(state, shape), copy);
  }
}

}  // namespace
}  // namespace flashmoe
