// Logits to a token: penalties and biases, then temperature, top-k, top-p, min-p, then a draw.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/status.h"

namespace flashmoe {

struct SamplingParams {
  float temperature = 1.0f;  // 0: the best token, lowest id on ties
  int32_t top_k = 0;         // 0: all
  float top_p = 1.0f;
  float min_p = 0.0f;
  float presence_penalty = 0.0f;    // OpenAI: counted over generated tokens
  float frequency_penalty = 0.0f;   // OpenAI: counted over generated tokens
  float repetition_penalty = 1.0f;  // Hugging Face: over prompt and generated tokens
  std::vector<std::pair<int32_t, float>> logit_bias;
  uint64_t seed = 0;
};

// InvalidInput names the parameter that is out of range.
Status Validate(const SamplingParams& params, int32_t vocab);

class Sampler {
 public:
  // Only ids below `valid_vocab` can ever be chosen: rows above are padding.
  Sampler(SamplingParams params, int32_t valid_vocab);

  // Tokens of the prompt count for the repetition penalty.
  void SeePrompt(std::span<const int32_t> tokens);

  // Chooses and records a token. `logits` [>= valid_vocab] is scratch afterwards. NaN counts as
  // minus infinity; if nothing else is there, the token is 0. The same params, history and logits
  // give the same token on every machine.
  int32_t Sample(std::span<float> logits);

 private:
  struct Candidate {
    double weight;  // relative to the best candidate's, which is 1
    float logit;
    int32_t id;
  };

  static bool IsBetter(const Candidate& a, const Candidate& b);  // the lower id on ties
  void Count(int32_t token, uint32_t generated);
  void ApplyPenalties(std::span<float> logits) const;
  void CollectAll(std::span<const float> logits);
  void CollectTopK(std::span<const float> logits);
  void KeepTopP();
  int32_t Draw();

  SamplingParams params_;
  int32_t valid_vocab_;
  uint64_t rng_state_;
  std::vector<uint32_t> generated_count_;  // by id
  std::vector<bool> seen_;                 // by id, prompt and generated
  std::vector<int32_t> seen_ids_;          // the ids whose `seen_` is set
  std::vector<Candidate> candidates_;
};

}  // namespace flashmoe
