#include "engine/engine.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "base/memory.h"
#include "base/units.h"
#include "engine/model_identity.h"
#include "engine/resident_experts.h"
#include "engine/session.h"
#include "io/page_cache.h"

namespace flashmoe {
namespace {

const char* Name(KvType type) {
  return type == KvType::kF16 ? "f16" : type == KvType::kQ8 ? "q8" : "f32";
}

Result<int> ExpertsPerToken(const ModelConfig& config, int asked) {
  if (asked == 0) return config.experts_per_token;
  if (asked < 0 || asked > config.experts) {
    return InvalidInput(fmt::format("{} experts a token of {} a layer", asked, config.experts), {},
                        fmt::format("the model was trained with {}", config.experts_per_token));
  }
  return asked;
}

struct Opened {
  ModelConfig config;
  WeightMap map;
  int experts_per_token = 0;
};

Result<Opened> ReadGeometry(const ModelFile& file, int experts_per_token) {
  Opened opened;
  FM_ASSIGN_OR_RETURN(opened.config, ReadConfig(file));
  FM_ASSIGN_OR_RETURN(opened.map, MapWeights(file, opened.config));
  FM_ASSIGN_OR_RETURN(opened.experts_per_token, ExpertsPerToken(opened.config, experts_per_token));
  return opened;
}

PlanInputs MakeInputs(const Opened& opened, const EngineOptions& options,
                      const KernelTable& kernels, KvType kv, int threads) {
  const ModelConfig& c = opened.config;
  const int k = opened.experts_per_token;
  const StateShape shape = Model::Shape(c, 0, kv);
  const auto scratch = [&](int64_t tokens, int64_t context) {
    return Workspace::Bytes(c, tokens, context, k, threads);
  };
  PlanInputs in;
  in.budget = options.memory_bytes;
  in.wish = options.memory_wish;
  const SpareMemory spare = AvailableMemory();
  in.available = spare.bytes - std::min(spare.bytes, options.caller_bytes);
  in.available_in_group = spare.of_group;
  in.process = ResidentBytes() + options.caller_bytes;
  in.dense = Weights::ResidentBytes(opened.map);
  in.state_fixed = shape.fixed_bytes();
  in.state_per_position = shape.bytes_per_position();
  in.sequences = options.sequences;
  in.pass_extra = Model::PassTokens(0, options.sequences);
  in.checkpoints = options.checkpoints.memory_bytes;
  in.checkpoints_whole = options.checkpoints.whole_sequence;
  // Logits and what samplers keep.
  const uint64_t vocab_bytes = uint64_t(c.vocab_rows) * 3 * sizeof(float);
  in.scratch_fixed = scratch(0, 0) + uint64_t(options.sequences) * vocab_bytes +
                     uint64_t(threads) * kernels.stack_bytes;
  // Beyond a block, only what every token of a chunk keeps grows.
  const int64_t block = Workspace::BlockTokens(std::numeric_limits<int64_t>::max());
  in.scratch_per_token = scratch(block + 1, 0) - scratch(block, 0);
  in.scratch_per_block_token = scratch(block, 0) - scratch(block - 1, 0) - in.scratch_per_token;
  in.block_tokens = block;
  in.scratch_per_position = scratch(0, 1) - scratch(0, 0);
  in.slot = opened.map.experts.max_slot_bytes();
  in.slots_min = ExpertStore::MinSlots(opened.map.experts, k);
  in.slots_all = uint64_t(c.layers) * uint64_t(c.experts);
  in.slots_max = options.slots_max;
  in.chunk_max = options.chunk_max;
  if (options.prefetch != Prefetch::kOff && options.learning_routers.value_or(true)) {
    in.routers = AdaptiveRouters::Bytes(c);
    in.routers_wanted = options.learning_routers.has_value();
  }
  in.context = options.context;
  in.context_needed = options.context_needed;
  in.context_max = c.context_max;
  return in;
}

// The largest piece of the first expert, for which the disk is probed; empty if there is none.
Extent TypicalPiece(const ExpertCatalog& experts) {
  for (int layer = 0; layer < experts.layers(); ++layer) {
    const std::span<const Extent> pieces = experts.pieces(layer, 0);
    if (!pieces.empty()) return *std::ranges::max_element(pieces, {}, &Extent::bytes);
  }
  return {};
}

// The part of the experts that the page cache holds, from a look at some of them.
double CachedPart(const ExpertCatalog& experts) {
  constexpr int kLooks = 128;
  int looks = 0, cached = 0;
  for (int i = 0; i < kLooks && experts.layers() > 0 && experts.experts() > 0; ++i) {
    // Spread over all layers, and over all experts in an order that repeats late.
    const int layer = static_cast<int>(int64_t{i} * experts.layers() / kLooks);
    const int expert = static_cast<int>(int64_t{i} * 37 % experts.experts());
    for (const Extent& piece : experts.pieces(layer, expert)) {
      ++looks;
      cached += InPageCache(*piece.file, piece.offset + piece.bytes / 2) ? 1 : 0;
    }
  }
  return looks == 0 ? 0 : static_cast<double>(cached) / looks;
}

// The probe's reads land in memory that the slots will take later.
DeviceProfile Probe(const Extent& piece, const MemoryPlan& memory, const EngineOptions& options) {
  if (piece.file == nullptr) return {.why_not = "there are no experts"};
  ProbeOptions probe = options.probe;
  probe.reader = options.io;
  probe.buffer_bytes = std::min(probe.buffer_bytes, memory.experts);
  return ProbeDevice(*piece.file, piece.bytes, probe);
}

ReadPlanInputs MakeReadInputs(const Opened& opened, const PlanInputs& memory_inputs,
                              const MemoryPlan& memory, uint64_t file_bytes,
                              const EngineOptions& options) {
  const Extent piece = TypicalPiece(opened.map.experts);
  ReadPlanInputs in;
  in.cache = options.cache;
  in.io = options.io;
  in.budget_given = options.memory_bytes > 0 || options.memory_wish > 0;
  in.direct_possible = piece.file == nullptr || piece.file->direct_fd() >= 0;
  in.file_bytes = file_bytes;
  in.available = memory_inputs.available + memory_inputs.process;
  in.planned = memory.total();
  in.cached = CachedPart(opened.map.experts);
  in.slots = memory.slots;
  in.slots_all = memory.slots_all;
  return in;
}

// All that is decided before anything big is allocated.
struct Prepared {
  Opened opened;
  const KernelTable* kernels = nullptr;
  KvType kv = KvType::kF16;
  int threads = 0;
  PlanInputs inputs;
  MemoryPlan memory;
};

Result<Prepared> Prepare(ModelFile& file, const EngineOptions& options) {
  if (options.sequences < 1 || options.sequences > kSequencesMax) {
    return InvalidInput(fmt::format("{} sequences at once", options.sequences), {},
                        fmt::format("give 1 to {}", kSequencesMax));
  }
  Prepared p;
  FM_ASSIGN_OR_RETURN(p.opened, ReadGeometry(file, options.experts_per_token));
  FM_ASSIGN_OR_RETURN(p.kernels, SelectKernels(options.isa));
  file.ReleaseText();
  ReleaseUnusedMemory();
  p.kv = options.kv.value_or(p.kernels == &ScalarKernels() ? KvType::kF32 : KvType::kF16);
  if (p.kv == KvType::kQ8 && p.opened.config.head_dim % kKvBlock != 0) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("keys of {} elements a head in 8 bit", p.opened.config.head_dim), {},
                "they come in blocks of 32: use f16");
  }
  p.threads = options.threads > 0 ? options.threads : AvailableCpus();
  p.inputs = MakeInputs(p.opened, options, *p.kernels, p.kv, p.threads);
  FM_ASSIGN_OR_RETURN(p.memory, MakePlan(p.inputs));
  return p;
}

// Half of what the plan leaves, so that all is well while nobody else takes memory.
uint64_t ReserveForOthers(const PlanInputs& in, const MemoryPlan& plan) {
  constexpr uint64_t kLeast = uint64_t{1} << 20, kMost = uint64_t{256} << 20;
  const uint64_t had = in.available + in.process;
  return std::clamp((had - std::min(had, plan.total())) / 2, kLeast, kMost);
}

Status CheckContext(int64_t context, const EngineOptions& options, int64_t context_max) {
  if (options.context_least <= context) return {};
  return InvalidInput(
      fmt::format("{} tokens do not fit a context of {}", options.context_least, context), {},
      context < context_max ? "give a larger --ctx" : "shorten the text: the model knows no more");
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::Load(std::unique_ptr<ModelFile> file, TextModel text,
                                             const EngineOptions& options,
                                             const ProgressFn& progress) {
  std::unique_ptr<Engine> engine(new Engine(std::move(file), std::move(text)));
  if (options.grammars) engine->token_trie();  // before the plan looks at what is held already
  FM_ASSIGN_OR_RETURN(Prepared prepared, Prepare(*engine->file_, options));
  Opened& opened = prepared.opened;
  EnginePlan& plan = engine->plan_;
  plan.memory = prepared.memory;
  FM_RETURN_IF_ERROR(CheckContext(plan.memory.context, options, opened.config.context_max));
  plan.kernels = prepared.kernels->name;
  plan.kv = Name(prepared.kv);
  plan.threads = prepared.threads;
  plan.experts_per_token = opened.experts_per_token;
  plan.prefetch = options.prefetch;
  plan.experts_as_trained = opened.experts_per_token == opened.config.experts_per_token;

  plan.read = MakeReadPlan(
      MakeReadInputs(opened, prepared.inputs, plan.memory, engine->file_->total_bytes(), options),
      Probe(TypicalPiece(opened.map.experts), plan.memory, options));
  const ReaderOptions reader = plan.read.reader_options();
  StoreOptions store_options;
  store_options.slots = plan.memory.slots;
  store_options.experts_per_token = opened.experts_per_token;
  store_options.policy = options.cache_policy;
  store_options.prefetch = options.prefetch != Prefetch::kOff;
  store_options.wrap_reader = options.wrap_reader;
  FM_ASSIGN_OR_RETURN(std::unique_ptr<ExpertStore> store,
                      ExpertStore::Create(std::move(opened.map.experts), store_options, reader));
  // The store gets its memory from the system while these are read.
  FM_ASSIGN_OR_RETURN(Weights weights, Weights::Load(opened.map, reader, progress, options.cancel));
  plan.reader = store->reader().name();

  ModelOptions model;
  model.kernels = prepared.kernels;
  model.threads = prepared.threads;
  model.chunk_tokens = plan.memory.chunk_tokens;
  model.context = plan.memory.context;
  model.sequences = options.sequences;
  model.experts_per_token = opened.experts_per_token;
  model.kv_type = prepared.kv;
  model.lookahead = {.prefetch = options.prefetch, .learn = plan.memory.routers > 0};
  model.cancel = options.cancel;
  model.memory = {.reserve = ReserveForOthers(prepared.inputs, plan.memory),
                  .spare = options.spare_memory};
  FM_RETURN_IF_ERROR(engine->OpenPrefixes(options.checkpoints, opened.config, model.kv_type));
  engine->model_ = std::make_unique<Model>(std::move(opened.config), std::move(weights),
                                           std::move(store), model);
  return engine;
}

Status Engine::OpenPrefixes(const CheckpointOptions& options, const ModelConfig& config,
                            KvType kv_type) {
  if (plan_.memory.checkpoints == 0) return {};
  PrefixStoreOptions prefixes;
  prefixes.memory_bytes = plan_.memory.checkpoints;
  prefixes.folder = options.folder;
  prefixes.disk_bytes = options.disk_bytes;
  prefixes.shape = Model::Shape(config, plan_.memory.context, kv_type);
  prefixes.notice = options.notice;
  if (!options.folder.empty()) {
    const std::string computed =
        fmt::format("{} {} {}", plan_.kernels, plan_.kv, plan_.experts_per_token);
    FM_ASSIGN_OR_RETURN(identity_, ModelIdentity(*file_, config, computed));
    prefixes.model = identity_;
    residents_path_ = fmt::format("{}/{:016x}.experts", options.folder, identity_.low);
  }
  FM_ASSIGN_OR_RETURN(prefixes_, PrefixStore::Open(std::move(prefixes)));
  return {};
}

Status Engine::SaveResidentExperts() const {
  if (residents_path_.empty()) return {};
  return WriteResidentExperts(residents_path_, identity_, ResidentExperts::Of(model_->store()));
}

Status Engine::FetchResidentExperts(const ProgressFn& progress, const CancelFlag* cancel) {
  if (residents_path_.empty() || access(residents_path_.c_str(), F_OK) != 0) return {};
  FM_ASSIGN_OR_RETURN(const ResidentExperts resident,
                      ReadResidentExperts(residents_path_, identity_));
  FM_RETURN_IF_ERROR(FetchExperts(resident, model_->store(), progress, cancel));
  model_->store().ResetStats();
  return {};
}

Result<SequenceState> Engine::NewState() const {
  const ModelOptions& options = model_->options();
  FM_ASSIGN_OR_RETURN(
      SequenceState state,
      SequenceState::Create(Model::Shape(model_->config(), options.context, options.kv_type)));
  const MemoryPlan& memory = plan_.memory;
  if (memory.positions < memory.sequences * memory.context) state.TakeOnlyWhatIsUsed();
  return state;
}

Result<Session> Engine::NewSession() {
  FM_ASSIGN_OR_RETURN(SequenceState state, NewState());
  return Session(*model_, std::move(state));
}

const std::shared_ptr<const TokenTrie>& Engine::token_trie() {
  if (!token_trie_) token_trie_ = TokenTrie::Create(text_.tokenizer, text_.stop_tokens);
  return token_trie_;
}

int32_t Engine::valid_vocab() const {
  return std::min(model_->config().vocab_rows, text_.tokenizer.vocab_size());
}

Result<ModelFacts> Inspect(const ModelFile& file, int experts_per_token, KvType kv) {
  FM_ASSIGN_OR_RETURN(Opened opened, ReadGeometry(file, experts_per_token));
  const ExpertCatalog& experts = opened.map.experts;
  const StateShape shape = Model::Shape(opened.config, 0, kv);
  ModelFacts facts;
  facts.file_bytes = file.total_bytes();
  facts.dense_bytes = Weights::ResidentBytes(opened.map);
  facts.expert_bytes_total = experts.total_bytes();
  facts.slot_bytes = experts.max_slot_bytes();
  for (int layer = 0; layer < experts.layers(); ++layer) {
    facts.expert_bytes = std::max(facts.expert_bytes, experts.expert_bytes(layer));
    facts.expert_bytes_token +=
        experts.expert_bytes(layer) * static_cast<uint64_t>(opened.experts_per_token);
  }
  facts.state_fixed_bytes = shape.fixed_bytes();
  facts.state_position_bytes = shape.bytes_per_position();
  facts.products = CountProducts(opened.map, opened.experts_per_token);
  facts.experts_per_token = opened.experts_per_token;
  facts.config = std::move(opened.config);
  return facts;
}

uint64_t ModelFacts::TouchedBytes(int64_t position) const {
  // Recurrent state is read and written.
  return dense_bytes + expert_bytes_token + 2 * state_fixed_bytes +
         static_cast<uint64_t>(position) * state_position_bytes;
}

Result<Plans> MakePlans(ModelFile& file, const EngineOptions& options) {
  FM_ASSIGN_OR_RETURN(const Prepared prepared, Prepare(file, options));
  return Plans{prepared.memory, MakeReadInputs(prepared.opened, prepared.inputs, prepared.memory,
                                               file.total_bytes(), options)};
}

}  // namespace flashmoe
