// Sequences that go through the model together must not notice each other.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <random>

#include "kernels/kernels.h"
#include "tests/support/least_memory.h"
#include "tests/support/test_model.h"

namespace flashmoe {
namespace {

struct Subject {
  const char* name;
  const char* isa;
  std::optional<KvType> kv = {};
};

// A sequence on its way through a schedule: a prompt that is cut at multiples of 64, then tokens
// one by one. Keeps the logits after each pass.
struct Timeline {
  std::vector<int32_t> tokens;
  int64_t prompt = 0;
  SequenceState state;
  std::map<int64_t, std::vector<float>> logits;  // by position of the last token

  int64_t left() const { return std::ssize(tokens) - state.position(); }
  std::span<const int32_t> Next(int64_t most) const {
    const int64_t at = state.position();
    if (at >= prompt) return std::span(tokens).subspan(at, 1);
    int64_t n = std::min(most, prompt - at);
    if (at + n < prompt) n -= (at + n) % 64;
    return std::span(tokens).subspan(at, std::max<int64_t>(n, 0));
  }
};

class BatchTest : public testing::TestWithParam<Subject> {
 protected:
  std::string path() const {
    const std::string name = GetParam().name;
    return name == "ember" ? BundledModel() : TinyModel(name);
  }
  // One pass after another until all tokens are through; which sequences take part is drawn.
  static void RunTogether(Model& model, std::deque<Timeline>& timelines, uint64_t seed) {
    std::mt19937_64 random(seed);
    while (true) {
      std::vector<PassSlice> slices;
      std::vector<Timeline*> taking_part;
      int64_t room = model.tokens_max();
      bool all_done = true;
      for (Timeline& line : timelines) {
        all_done &= line.left() == 0;
        if (line.left() == 0 || random() % 4 == 0) continue;
        const auto next = line.Next(std::min<int64_t>(room, 64 * (1 + random() % 3)));
        if (next.empty() || std::ssize(next) > room) continue;
        room -= std::ssize(next);
        slices.push_back({next, &line.state});
        taking_part.push_back(&line);
      }
      if (all_done) return;
      if (slices.empty()) continue;
      const Status status = model.Forward(slices);
      ASSERT_TRUE(status.has_value()) << status.error().ToString();
      ReadLogits(model, slices, taking_part);
    }
  }
  static void ReadLogits(Model& model, const std::vector<PassSlice>& slices,
                         const std::vector<Timeline*>& lines) {
    std::vector<int64_t> rows;
    int64_t row = -1;
    for (const PassSlice& slice : slices) rows.push_back(row += std::ssize(slice.tokens));
    const auto vocab = static_cast<size_t>(model.config().vocab_rows);
    std::vector<float> logits(rows.size() * vocab);
    model.Logits(rows, logits);
    for (size_t i = 0; i < lines.size(); ++i) {
      const auto mine = std::span(logits).subspan(i * vocab, vocab);
      lines[i]->logits[lines[i]->state.position() - 1].assign(mine.begin(), mine.end());
    }
  }
};

TEST_P(BatchTest, EachSequenceYieldsTheBitsOfItsOwn) {
  EngineOptions options = TestOptions(GetParam().isa);
  options.kv = GetParam().kv;
  options.sequences = 5;
  options.chunk_max = 256;
  for (const bool streaming : {false, true}) {
    const auto engine = streaming ? OpenAtFloor(path(), options) : Open(path(), options);
    ASSERT_NE(engine, nullptr);
    std::deque<Timeline> timelines;
    for (const int prompt : {1, 63, 64, 150, 330}) {
      auto state = engine->NewState();
      ASSERT_TRUE(state.has_value());
      const auto seed = static_cast<uint64_t>(prompt);
      timelines.push_back({SomeTokens(prompt + 9, 500, seed), prompt, std::move(*state), {}});
    }
    RunTogether(engine->model(), timelines, 3);
    for (const Timeline& line : timelines) {
      auto session = engine->NewSession();
      ASSERT_TRUE(session.has_value());
      int64_t at = line.prompt;
      ASSERT_TRUE(session->Sync(std::span(line.tokens).first(at)).has_value());
      for (; at <= std::ssize(line.tokens); ++at) {
        const LogitRows want = {{session->logits().begin(), session->logits().end()}};
        ASSERT_TRUE(line.logits.contains(at - 1)) << at;
        EXPECT_EQ(FirstDifference({line.logits.at(at - 1)}, want), "")
            << line.prompt << " + " << at - line.prompt << (streaming ? ", streaming" : "");
        if (at < std::ssize(line.tokens)) {
          ASSERT_TRUE(session->Append(line.tokens[at]).has_value());
        }
      }
    }
  }
}

std::vector<Subject> Subjects() {
  std::vector<Subject> subjects = {{"tiny-random", "scalar"}, {"tiny-random-qwen3moe", "scalar"}};
  for (const KernelTable* table : AvailableKernels()) {
    subjects.push_back({"ember", table->name.data()});
  }
  subjects.push_back({"ember", "auto", KvType::kQ8});
  return subjects;
}

INSTANTIATE_TEST_SUITE_P(Models, BatchTest, testing::ValuesIn(Subjects()), [](const auto& subject) {
  std::string name = subject.param.name;
  std::ranges::replace(name, '-', '_');
  return name + "_" + subject.param.isa + (subject.param.kv ? "_q8" : "");
});

}  // namespace
}  // namespace flashmoe
