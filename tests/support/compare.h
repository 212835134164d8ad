// How far two results are apart.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace flashmoe {

// Sum of squared differences over the sum of squares of the reference; infinity if sizes differ or
// a number is not finite.
double Nmse(std::span<const float> got, std::span<const float> want);

// Kullback-Leibler divergence of softmax(got) from softmax(want), in nats.
double KlDivergence(std::span<const float> got, std::span<const float> want);

// Index of the largest element, the first on a tie.
int32_t ArgMax(std::span<const float> x);

// The largest minus the second largest.
float Margin(std::span<const float> x);

// Natural logarithm of softmax(logits)[id].
double LogProbability(std::span<const float> logits, int32_t id);

// Logits [vocab] of each position.
using LogitRows = std::vector<std::vector<float>>;

// Empty if both hold the same bits; else says where they first differ and by how much.
std::string FirstDifference(const LogitRows& got, const LogitRows& want);

// Over all positions together.
double Nmse(const LogitRows& got, const LogitRows& want);

// What a fast computation costs against a reference.
struct Agreement {
  double kl_sum = 0;
  int64_t positions = 0;
  int64_t decided = 0;   // positions whose reference margin is above the bound
  int64_t agreeing = 0;  // of these, the same best token

  void Add(std::span<const float> got, std::span<const float> want, float margin);
  double mean_kl() const { return positions == 0 ? 0 : kl_sum / static_cast<double>(positions); }
  double top1() const {
    return decided == 0 ? 1 : static_cast<double>(agreeing) / static_cast<double>(decided);
  }
  std::string ToString() const;
};
// Over all positions; what is missing counts as infinitely far.
Agreement Compare(const LogitRows& got, const LogitRows& want, float margin);

}  // namespace flashmoe
