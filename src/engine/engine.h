// The boundary of the library: an engine is a loaded model, a session one mutable timeline of
// tokens. Command line, server and C API are thin faces on this.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/status.h"
#include "engine/memory_plan.h"
#include "engine/read_plan.h"
#include "engine/text_model.h"
#include "engine/token_products.h"
#include "format/model_file.h"
#include "grammar/token_masks.h"
#include "io/async_reader.h"
#include "model/model.h"
#include "state/digest.h"
#include "state/prefix_store.h"

namespace flashmoe {

// What is kept of sequences that have ended, so that prompts which begin alike need not be read
// again.
struct CheckpointOptions {
  uint64_t memory_bytes = 0;  // at most, less where memory is short; 0: none are kept
  // Room for all of a sequence, more than that if need be (PlanInputs::checkpoints_whole).
  bool whole_sequence = false;
  std::string folder;                        // where they outlive the process; empty: nowhere
  uint64_t disk_bytes = uint64_t{16} << 30;  // in the folder, of all models; the oldest leave
  NoticeFn notice;                           // hears of files there that are damaged; may be empty
};

inline constexpr int kSequencesMax = 256;

struct EngineOptions {
  uint64_t memory_bytes = 0;   // 0: the next
  uint64_t memory_wish = 0;    // used as far as the model can live with it; 0: what can be spared
  int threads = 0;             // 0: the CPUs this process may use
  uint64_t slots_max = 0;      // experts in memory; 0: as many as fit
  int64_t chunk_max = 0;       // tokens of a prompt at a time; 0: chosen by the plan
  int64_t context = 0;         // 0: chosen by the plan
  int64_t context_needed = 0;  // positions the first request will use, if known
  int64_t context_least = 0;   // its prompt: loading fails at once if a session cannot hold it
  int sequences = 1;  // that are in work at once; they share the memory for keys and values
  CheckpointOptions checkpoints;
  uint64_t caller_bytes = 0;  // that whoever asks will hold besides: a part of the plan
  // Answers will be held to grammars: what they need of the vocabulary is a part of the plan.
  bool grammars = false;
  ReaderKind io = ReaderKind::kAuto;
  CacheMode cache = CacheMode::kAuto;
  ProbeOptions probe;  // `reader` and `buffer_bytes` are set by the engine
  CachePolicyKind cache_policy = kDefaultCachePolicy;
  // Reads what will probably be wanted while the disk is idle.
  Prefetch prefetch = Prefetch::kOff;
  // Guesses by copies of the routers that learn; nullopt: where they take little memory.
  std::optional<bool> learning_routers;
  ReaderWrap wrap_reader;                  // of experts; for measuring what a slower disk would do
  std::function<uint64_t()> spare_memory;  // for tests: what the system could give at any time
  std::string isa = "auto";                // a kernel table
  std::optional<KvType> kv;                // nullopt: F16, with the scalar table F32
  int experts_per_token = 0;  // 0: as trained; anything else changes what the model computes
  const CancelFlag* cancel = nullptr;  // ends loading and forward passes; may be null
};

// What was decided at start, in words and numbers.
struct EnginePlan {
  MemoryPlan memory;
  ReadPlan read;
  std::string reader;   // "uring direct"
  std::string kernels;  // "avx512"
  std::string kv;       // "f16"
  int threads = 0;
  int experts_per_token = 0;
  bool experts_as_trained = true;
  Prefetch prefetch = Prefetch::kOff;

  std::string ToString() const;  // one paragraph for a person
};

// What the model consists of, known without loading it.
struct ModelFacts {
  ModelConfig config;
  uint64_t file_bytes = 0;
  uint64_t dense_bytes = 0;  // held in memory
  uint64_t expert_bytes_total = 0;
  uint64_t expert_bytes_token = 0;  // a token's experts, all read
  uint64_t expert_bytes = 0;        // of one expert, the largest layer's
  uint64_t slot_bytes = 0;
  uint64_t state_fixed_bytes = 0;
  uint64_t state_position_bytes = 0;
  TokenProducts products;
  int experts_per_token = 0;

  // Weights and state that a decoded token touches, when so many positions lie before it.
  uint64_t TouchedBytes(int64_t position) const;
};

class Session;

// Not thread-safe: one thread drives an engine and its sessions.
class Engine {
 public:
  // Reads the dense weights; the experts stay in the file, which the engine keeps open. `text` is
  // LoadTextModel(*file): callers use it before, to learn how long their prompt is.
  static Result<std::unique_ptr<Engine>> Load(std::unique_ptr<ModelFile> file, TextModel text,
                                              const EngineOptions& options,
                                              const ProgressFn& progress = {});

  // A sequence of its own, at position 0. The plan has room for EngineOptions::sequences of them,
  // which together hold no more than its `positions`.
  Result<SequenceState> NewState() const;
  Result<Session> NewSession();

  // What is remembered of prompts; null if EngineOptions::checkpoints asks for nothing.
  PrefixStore* prefixes() { return prefixes_.get(); }

  // Notes in CheckpointOptions::folder which experts are in memory.
  Status SaveResidentExperts() const;
  // Reads those that another process has noted there; nothing noted is no error.
  Status FetchResidentExperts(const ProgressFn& progress, const CancelFlag* cancel);

  const EnginePlan& plan() const { return plan_; }
  const TextModel& text() const { return text_; }
  Model& model() { return *model_; }
  const Model& model() const { return *model_; }
  // The vocabulary as grammars see it; made when it is first asked for.
  const std::shared_ptr<const TokenTrie>& token_trie();
  // Ids at and above this are padding rows.
  int32_t valid_vocab() const;

 private:
  Engine(std::unique_ptr<ModelFile> file, TextModel text)
      : file_(std::move(file)), text_(std::move(text)) {}

  Status OpenPrefixes(const CheckpointOptions& options, const ModelConfig& config, KvType kv_type);

  std::unique_ptr<ModelFile> file_;
  TextModel text_;
  std::shared_ptr<const TokenTrie> token_trie_;
  EnginePlan plan_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<PrefixStore> prefixes_;
  std::string residents_path_;  // empty: there is no folder
  Digest identity_;             // of what is computed, where there is a folder
};

// `experts_per_token` 0: as trained.
Result<ModelFacts> Inspect(const ModelFile& file, int experts_per_token, KvType kv);

// The plan that Engine::Load would make now, and all that its plan of reading rests on but the
// disk's speed; nothing is loaded. As Load, it lets go of the file's text. What the process holds
// already counts, so the text model should have been loaded.
struct Plans {
  MemoryPlan memory;
  ReadPlanInputs reads;
};
Result<Plans> MakePlans(ModelFile& file, const EngineOptions& options);

}  // namespace flashmoe
