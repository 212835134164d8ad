// The engine against the reference implementation: every stored number, then greedy answers, then
// what the fast kernels cost.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/kernels.h"
#include "tests/support/golden.h"
#include "tests/support/test_model.h"

namespace flashmoe {
namespace {

constexpr double kNmseMax = 1e-8;
constexpr float kRouterGap = 1e-5f;  // below it rounding may change a choice
constexpr float kMargin = 0.05f;

class ReferenceTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string name = GetParam();
    if (name.starts_with("tiny")) {
      folder_ = TinyModel(name);
    } else if (const auto found = ReferenceModel(name)) {
      folder_ = *found;
    } else {
      GTEST_SKIP() << kNoReferenceModels;
    }
    prompts_ = ReadGolden(folder_);
  }

  std::string folder_;
  std::vector<GoldenPrompt> prompts_;
};

// The worst of many comparisons, and where it was.
struct Worst {
  double nmse = 0;
  std::string where = "nowhere";

  void Add(std::span<const float> got, std::span<const float> want, const std::string& place) {
    const double e = Nmse(got, want);
    if (!(e > nmse)) return;
    nmse = e;
    where = place;
  }
};

// `part` of `parts` equal ones.
std::span<const float> Part(const std::vector<float>& all, size_t part, size_t parts) {
  return std::span(all).subspan(part * (all.size() / parts), all.size() / parts);
}

void CompareStates(const GoldenPrompt& prompt, const ForwardTrace& trace, Worst& worst) {
  const size_t states = trace.hidden.size(), tokens = prompt.ids.size();
  const auto place = [&](const char* what, size_t at) {
    return fmt::format("{}, {} {}", prompt.name, what, at);
  };
  const std::vector<float> last = prompt.Floats("hidden_last");
  for (size_t i = 0; i < states; ++i) {
    worst.Add(Part(trace.hidden[i], tokens - 1, tokens), Part(last, i, states),
              place("hidden_last", i));
  }
  if (!prompt.Has("hidden_all")) return;
  const std::vector<float> all = prompt.Floats("hidden_all");
  const std::vector<float> mixer = prompt.Floats("mixer_out");
  const std::vector<float> moe = prompt.Floats("moe_out");
  for (size_t i = 0; i < states; ++i) {
    worst.Add(trace.hidden[i], Part(all, i, states), place("hidden_all", i));
  }
  for (size_t i = 0; i + 2 < states; ++i) {
    worst.Add(trace.mixer[i], Part(mixer, i, states - 2), place("mixer_out", i));
    worst.Add(trace.experts[i], Part(moe, i, states - 2), place("moe_out", i));
  }
}

void CompareLogits(const GoldenPrompt& prompt, const ForwardTrace& trace, Worst& worst) {
  worst.Add(trace.logits.back(), prompt.logits_last, prompt.name + ", logits_last");
  const std::vector<int32_t> ids = prompt.Ints("top20_idx");
  const std::vector<float> logits = prompt.Floats("top20_logits");
  std::vector<float> got(logits.size());
  for (size_t i = 0; i < ids.size(); ++i) got[i] = trace.logits[i / 20][ids[i]];
  worst.Add(got, logits, prompt.name + ", top20_logits");
  for (size_t t = 0; t < prompt.ids.size(); ++t) {
    if (logits[20 * t] - logits[20 * t + 1] < 1e-3f) continue;
    EXPECT_EQ(ArgMax(trace.logits[t]), ids[20 * t]) << prompt.name << ", position " << t;
  }
  if (!prompt.Has("logprobs")) return;  // a single token
  const std::vector<float> logprobs = prompt.Floats("logprobs");
  std::vector<float> own;
  for (size_t t = 0; t + 1 < prompt.ids.size(); ++t) {
    own.push_back(static_cast<float>(LogProbability(trace.logits[t], prompt.ids[t + 1])));
  }
  worst.Add(own, logprobs, prompt.name + ", logprobs");
}

// Returns how many choices were left out because the reference itself is near a tie.
int CompareRouting(const GoldenPrompt& prompt, const ForwardTrace& trace, float& largest) {
  const size_t layers = trace.chosen.size(), tokens = prompt.ids.size();
  const size_t k = trace.chosen[0].size() / tokens;
  const std::vector<int32_t> chosen = prompt.Ints("router_idx");
  const std::vector<float> weights = prompt.Floats("router_weights");
  const std::vector<float> gaps = prompt.Floats("router_gap");
  int near_ties = 0;
  for (size_t layer = 0; layer < layers; ++layer) {
    for (size_t t = 0; t < tokens; ++t) {
      if (gaps[layer * tokens + t] <= kRouterGap) {
        ++near_ties;
        continue;
      }
      for (size_t rank = 0; rank < k; ++rank) {
        const size_t at = (layer * tokens + t) * k + rank;
        EXPECT_EQ(trace.chosen[layer][t * k + rank], chosen[at])
            << fmt::format("{}, layer {}, position {}, rank {}", prompt.name, layer, t, rank);
        largest = std::max(largest, std::abs(trace.weights[layer][t * k + rank] - weights[at]));
      }
    }
  }
  return near_ties;
}

TEST_P(ReferenceTest, ScalarEqualsReference) {
  const auto engine = Open(folder_, TestOptions());
  ASSERT_NE(engine, nullptr);
  Worst states, logits;
  float weight_error = 0;
  int near_ties = 0;
  for (const GoldenPrompt& prompt : prompts_) {
    const ForwardTrace trace = TraceForward(*engine, prompt.ids);
    ASSERT_EQ(trace.logits.size(), prompt.ids.size());
    CompareStates(prompt, trace, states);
    CompareLogits(prompt, trace, logits);
    near_ties += CompareRouting(prompt, trace, weight_error);
  }
  EXPECT_LE(states.nmse, kNmseMax) << states.where;
  EXPECT_LE(logits.nmse, kNmseMax) << logits.where;
  EXPECT_LE(weight_error, 1e-4f);
  RecordProperty("nmse_states", fmt::format("{:.3g} at {}", states.nmse, states.where));
  RecordProperty("nmse_logits", fmt::format("{:.3g} at {}", logits.nmse, logits.where));
  RecordProperty("router_weight_error", fmt::format("{:.3g}", weight_error));
  RecordProperty("router_near_ties", near_ties);
}

TEST_P(ReferenceTest, ScalarAnswersAsReference) {
  const auto engine = Open(folder_, TestOptions());
  ASSERT_NE(engine, nullptr);
  int64_t compared = 0;
  for (const GoldenPrompt& prompt : prompts_) {
    EXPECT_EQ(Greedy(*engine, prompt.ids, static_cast<int64_t>(prompt.greedy.size())),
              prompt.greedy)
        << prompt.name;
    compared += static_cast<int64_t>(prompt.greedy.size());
  }
  RecordProperty("tokens", static_cast<int>(compared));
}

TEST_P(ReferenceTest, FastKernelsStayClose) {
  if (AvailableKernels().size() < 2) GTEST_SKIP() << "this CPU has no fast kernels";
  std::vector<LogitRows> truth;
  {
    const auto engine = Open(folder_, TestOptions());
    ASSERT_NE(engine, nullptr);
    for (const GoldenPrompt& prompt : prompts_) truth.push_back(AllLogits(*engine, prompt.ids));
  }
  for (const KernelTable* kernels : AvailableKernels()) {
    if (kernels == &ScalarKernels()) continue;
    const std::string name(kernels->name);
    const auto engine = Open(folder_, TestOptions(name));
    ASSERT_NE(engine, nullptr);
    Agreement golden, scalar;
    for (size_t i = 0; i < prompts_.size(); ++i) {
      const LogitRows logits = AllLogits(*engine, prompts_[i].ids);
      ASSERT_EQ(logits.size(), truth[i].size());
      golden.Add(logits.back(), prompts_[i].logits_last, kMargin);
      for (size_t t = 0; t < logits.size(); ++t) scalar.Add(logits[t], truth[i][t], kMargin);
    }
    EXPECT_LE(golden.mean_kl(), 1e-3) << name << ": " << golden.ToString();
    EXPECT_LE(scalar.mean_kl(), 1e-3) << name << ": " << scalar.ToString();
    EXPECT_GE(golden.top1(), 0.99) << name << ": " << golden.ToString();
    EXPECT_GE(scalar.top1(), 0.99) << name << ": " << scalar.ToString();
    RecordProperty(name + "_against_reference", golden.ToString());
    RecordProperty(name + "_against_scalar", scalar.ToString());
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ReferenceTest,
                         testing::Values("tiny-random", "tiny-random-qwen3moe", "ember"),
                         [](const auto& model) {
                           std::string name = model.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace flashmoe
