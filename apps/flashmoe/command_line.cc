#include "apps/flashmoe/command_line.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/units.h"
#include "kernels/kernels.h"
#include "terminal/terminal_mode.h"
#include "text/ordered_json.h"

namespace flashmoe::cli {
namespace {

constexpr uint64_t kTextBytesMax = uint64_t{1} << 30;

CancelFlag interrupted;
CancelFlag terminated;
std::atomic<int> interrupts = 0;
std::atomic<int> interrupts_max = 1;

extern "C" void OnInterrupt(int signal_number) {
  if (++interrupts > interrupts_max) {
    terminal::RestoreInputMode();
    _exit(128 + signal_number);
  }
  if (signal_number == SIGTERM) terminated.Set();
  interrupted.Set();
  terminal::Wake();
}

// Installed programs keep the model in ../share; those of a build folder take the source tree's.
std::string BundledModel() {
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const auto installed = (program.parent_path() / FLASHMOE_INSTALLED_MODEL).lexically_normal();
  return std::filesystem::exists(installed, ignored) ? installed.string() : FLASHMOE_BUNDLED_MODEL;
}

Result<std::string> ReadStream(std::FILE* stream, const std::string& name) {
  std::string text;
  char buffer[1 << 16];
  while (true) {
    const size_t count = std::fread(buffer, 1, sizeof buffer, stream);
    text.append(buffer, count);
    if (text.size() > kTextBytesMax) {
      return InvalidInput("the text is longer than 1 GiB", name, "give a shorter one");
    }
    if (count < sizeof buffer) break;
  }
  if (interrupted.IsSet()) return Fail(ErrorCode::kCancelled, "interrupted");
  if (std::ferror(stream)) {
    return Fail(ErrorCode::kIo, fmt::format("reading failed: {}", strerror(errno)), name);
  }
  return text;
}

// Where what was measured is kept between runs: $XDG_CACHE_HOME/flashmoe, ~/.cache/flashmoe, or
// nowhere.
std::string CacheFolder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return std::string(cache) + "/flashmoe";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.cache/flashmoe";
  return {};
}

}  // namespace

std::string Printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  return text;
}

void Print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void PrintNote(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fputc('\n', stderr);
}

Status FinishOutput() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return {};
  return Fail(ErrorCode::kIo,
              "standard output could not be written: it was closed or the disk is full");
}

int Report(const Error& error) {
  ClearProgress();
  if (error.code == ErrorCode::kCancelled) {
    PrintNote("flashmoe: interrupted");
    return kInterrupted;
  }
  PrintNote("flashmoe: error: " + Printable(error.ToString()));
  return kFailed;
}

int ReportUsage(const std::string& command, const std::string& problem) {
  PrintNote(fmt::format("flashmoe: error: {} (see flashmoe {}--help)", Printable(problem),
                        command.empty() ? "" : command + " "));
  return kWrongUsage;
}

const CancelFlag& InstallInterruptHandler(int patience) {
  interrupts_max = patience;
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return interrupted;
}

void RearmInterruptHandler() {
  if (terminated.IsSet()) return;
  interrupts = 0;
  interrupted.Clear();
}

bool WasTerminated() { return terminated.IsSet(); }

Result<std::string> ReadText(const std::string& path) {
  if (path == "-") return ReadStream(stdin, "standard input");
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return InvalidInput("this is a folder, not a text", path, "name a file");
  }
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    return Fail(ErrorCode::kNotFound, fmt::format("cannot open the file: {}", strerror(errno)),
                path, "check the path");
  }
  auto text = ReadStream(file, path);
  std::fclose(file);
  return text;
}

Result<nlohmann::ordered_json> ReadJson(const std::string& path) {
  FM_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  // The user's own file: as large as a text may be.
  auto json = ParseOrderedJson(text, {.bytes = kTextBytesMax, .values = kTextBytesMax});
  if (!json.has_value()) json.error().where = path;
  return json;
}

Result<std::vector<int32_t>> ReadTokens(const std::string& path) {
  FM_ASSIGN_OR_RETURN(nlohmann::ordered_json json, ReadJson(path));
  for (const char* key : {"ids", "tokens"}) {
    if (json.is_object() && json.contains(key)) json = nlohmann::ordered_json(json[key]);
  }
  if (!json.is_array()) {
    return InvalidInput("there is no JSON array of token ids", path, "write e.g. [1, 2, 3]");
  }
  std::vector<int32_t> ids;
  for (const auto& id : json) {
    if (!id.is_number_integer() || id < 0 || id > INT32_MAX) {
      return InvalidInput(fmt::format("{} is no token id", id.dump()), path);
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

Result<std::vector<int32_t>> ReadTokensOrText(const std::string& tokens, const std::string& text,
                                              const TextModel& words) {
  if (!tokens.empty()) return ReadTokens(tokens);
  FM_ASSIGN_OR_RETURN(const std::string content, ReadText(text));
  return words.Encode(content);
}

Result<DType> TypeByName(const std::string& name) {
  const std::optional<DType> type = DTypeFromName(name);
  if (type) return *type;
  return InvalidInput(fmt::format("there is no type '{}'", name), {},
                      "give e.g. q4_0, q4_k, q6_k, iq2_xxs, mxfp4, q8_0 or bf16");
}

CLI::Validator Between(int64_t least, int64_t most) {
  return CLI::Range(least, most).description("");  // help texts name what is usual
}

std::string CheckSize(const std::string& text) {
  const Result<uint64_t> bytes = ParseBytes(text);
  if (!bytes.has_value()) return bytes.error().ToString();
  return *bytes > 0 ? "" : "a budget of 0 bytes holds nothing";
}

void AddModelOption(CLI::App& app, std::string& model) {
  app.add_option("-m,--model", model,
                 "GGUF file (any part of a split), or folder with a Hugging Face or MLX model; "
                 "default: the bundled demo model")
      ->type_name("PATH");
}

std::string ModelPath(const std::string& model) { return model.empty() ? BundledModel() : model; }

Result<std::unique_ptr<ModelFile>> OpenModel(const std::string& model) {
  return ModelFile::Open(ModelPath(model));
}

Result<std::unique_ptr<ModelFile>> OpenRunnableModel(const std::string& model) {
  FM_ASSIGN_OR_RETURN(std::unique_ptr<ModelFile> file, OpenModel(model));
  FM_RETURN_IF_ERROR(ReadConfig(*file));
  return file;
}

void AddIsaOption(CLI::App& app, std::string& isa) {
  app.add_option("--isa", isa, "Instruction set to compute with; auto: the best of this CPU")
      ->check(CLI::IsMember({"auto", "scalar", "avx2", "avx512", "amx"}))
      ->capture_default_str();
}

void AddEngineOptions(CLI::App& app, EngineFlags& flags) {
  AddModelOption(app, flags.model);
  app.add_option("--memory", flags.memory,
                 "Budget for everything the process holds, e.g. 6GiB or 800MB; default: what the "
                 "machine and its cgroup can spare")
      ->type_name("SIZE")
      ->check(CheckSize);
  app.add_option("-t,--threads", flags.threads, "Threads that compute; default: all CPUs")
      ->type_name("N")
      ->check(Between(1, 1024));
  app.add_option("-c,--ctx,--ctx-size", flags.context, "Positions of context to make room for")
      ->type_name("N")
      ->check(Between(1, int64_t{1} << 26));
  app.add_option("--io", flags.io, "How experts are read from disk")
      ->check(CLI::IsMember({"auto", "uring", "pread", "mmap"}))
      ->capture_default_str();
  app.add_option("--cache", flags.cache,
                 "Whether what is read stays in the system's page cache as well (page) or in this "
                 "program's budget alone (direct); auto: page where it holds the model already and "
                 "has room for it")
      ->check(CLI::IsMember({"auto", "direct", "page"}))
      ->capture_default_str();
  app.add_option("--prefetch", flags.prefetch,
                 "Read experts that will probably be wanted while the disk is idle; auto: where it "
                 "is found "
                 "to pay, by trying")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
  flags.cache_policy = CachePolicyName(kDefaultCachePolicy);
  app.add_option("--cache-policy", flags.cache_policy,
                 "Which expert makes room for another: the one used least lately (lru), least "
                 "often (lfu), a mixture (lru2, lrfu), or the one expected to be due last (due)")
      ->check(CLI::IsMember(CachePolicyNames()))
      ->capture_default_str();
  AddIsaOption(app, flags.isa);
  app.add_option(
         "--kv", flags.kv,
         "Keys and values as f16, as q8 (8 bit: half the memory of a long context, and nearly "
         "the same answers) or f32; auto: f16, scalar f32")
      ->check(CLI::IsMember({"auto", "f16", "q8", "f32"}))
      ->capture_default_str();
  app.add_option("--experts-per-token", flags.experts_per_token,
                 "Deviate from the number of experts the model was trained with: faster or slower, "
                 "but no longer the same model")
      ->type_name("N")
      ->check(Between(1, 1 << 14));
}

Result<EngineOptions> MakeEngineOptions(const EngineFlags& flags) {
  EngineOptions options;
  if (!flags.memory.empty()) {
    FM_ASSIGN_OR_RETURN(options.memory_bytes, ParseBytes(flags.memory));
  }
  FM_ASSIGN_OR_RETURN(options.io, ReaderKindFromName(flags.io));
  FM_ASSIGN_OR_RETURN(options.cache, CacheModeFromName(flags.cache));
  options.probe.cache_folder = CacheFolder();
  FM_ASSIGN_OR_RETURN(options.cache_policy, CachePolicyFromName(flags.cache_policy));
  FM_RETURN_IF_ERROR(SelectKernels(flags.isa));
  options.isa = flags.isa;
  options.prefetch = flags.prefetch == "auto" ? Prefetch::kAuto
                     : flags.prefetch == "on" ? Prefetch::kOn
                                              : Prefetch::kOff;
  options.threads = flags.threads;
  options.context = flags.context;
  options.experts_per_token = flags.experts_per_token;
  if (flags.kv != "auto") {
    options.kv = flags.kv == "f16" ? KvType::kF16 : flags.kv == "q8" ? KvType::kQ8 : KvType::kF32;
  }
  return options;
}

void PrintDeviations(const EngineFlags& flags, Engine& engine) {
  const EnginePlan& plan = engine.plan();
  if (!plan.experts_as_trained) {
    PrintNote(fmt::format("note: {} experts a token instead of the trained {}: not the same model",
                          plan.experts_per_token, engine.model().config().experts_per_token));
  }
  if (flags.context > plan.memory.context) {
    PrintNote(fmt::format("note: the model knows {} positions of context, not {}",
                          plan.memory.context, flags.context));
  }
}

void PrintJson(const nlohmann::ordered_json& value) {
  using Json = nlohmann::ordered_json;
  Print(value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

namespace {

nlohmann::ordered_json DeviceToJson(const DeviceProfile& device) {
  if (!device.probed()) return {{"probed", false}, {"reason", device.why_not}};
  return {{"probed", true},
          {"gbps", device.gbps},
          {"depth", device.depth},
          {"read_bytes", device.read_bytes},
          {"latency_us", device.latency_us},
          {"measured_earlier", device.from_cache}};
}

}  // namespace

nlohmann::ordered_json MemoryPlanToJson(const MemoryPlan& memory) {
  return {{"budget_bytes", memory.budget},
          {"budget_given", memory.budget_given},
          {"process_bytes", memory.process},
          {"dense_bytes", memory.dense},
          {"state_bytes", memory.state},
          {"scratch_bytes", memory.scratch},
          {"router_copies_bytes", memory.routers},
          {"checkpoint_bytes", memory.checkpoints},
          {"expert_bytes", memory.experts},
          {"slots", memory.slots},
          {"slots_all", memory.slots_all},
          {"context", memory.context},
          {"chunk_tokens", memory.chunk_tokens}};
}

nlohmann::ordered_json PlanToJson(const EnginePlan& plan) {
  nlohmann::ordered_json json = {{"text", plan.ToString()}};
  json.update(MemoryPlanToJson(plan.memory));
  json.update({{"reader", plan.reader},
               {"cache", plan.read.cache_name()},
               {"cache_reason", plan.read.cache_why},
               {"disk", DeviceToJson(plan.read.device)},
               {"kernels", plan.kernels},
               {"kv", plan.kv},
               {"threads", plan.threads},
               {"experts_per_token", plan.experts_per_token},
               {"experts_as_trained", plan.experts_as_trained}});
  return json;
}

}  // namespace flashmoe::cli
