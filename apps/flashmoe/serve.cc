// flashmoe serve: the model for clients of the OpenAI and Anthropic APIs.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "apps/flashmoe/command_line.h"
#include "base/units.h"
#include "engine/scheduler.h"
#include "serve/model_server.h"

namespace flashmoe::cli {
namespace {

// For the bundled model, a file of 24.7 MB, and its sequences, unless told otherwise.
constexpr uint64_t kBundledModelMemory = 64'000'000;
constexpr size_t kKeyBytesMin = 8;
// For connections, requests, the templates they go through and the code of all this.
constexpr uint64_t kServerBytes = 4'000'000;

// Memory to remember prefixes with, unless told otherwise: this part of a budget that is given, and
// no more than this.
constexpr uint64_t kPrefixPart = 8;
constexpr uint64_t kPrefixMemoryMax = 2'000'000'000;

struct ServeFlags {
  EngineFlags engine;
  std::string host = "127.0.0.1", api_key_file, name, cache_dir, prefix_memory;
  std::vector<std::string> api_keys, origins;
  int port = 8080, slots = 4, queue = 64;
  int64_t max_tokens = -1;
  double stop_s = 10;
  bool no_auth = false, verbose = false;
};

// SIGINT and SIGTERM, waited for by a thread of its own: the first asks to stop, a second ends the
// process at once. Made before any other thread, which then leave the signals alone.
class StopSignal {
 public:
  StopSignal() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    thread_ = std::thread([this] { Watch(); });
  }
  ~StopSignal() {
    done_ = true;
    thread_.join();
  }
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // Set by a signal that comes while the model is loaded; later ones let running work go on.
  const CancelFlag& loading() const { return loading_; }
  void Loaded() { loaded_ = true; }
  void Wait() const { came_.wait(false); }

 private:
  void Watch() {
    const timespec moment = {0, 100'000'000};
    while (!done_) {
      const int number = sigtimedwait(&signals_, nullptr, &moment);
      if (number <= 0) continue;
      if (came_) _exit(128 + number);
      if (!loaded_) loading_.Set();
      came_ = true;
      came_.notify_all();
    }
  }

  sigset_t signals_;
  CancelFlag loading_;
  std::atomic<bool> loaded_ = false, came_ = false, done_ = false;
  std::thread thread_;
};

Result<std::vector<std::string>> ReadKeys(const ServeFlags& flags) {
  std::vector<std::string> keys = flags.api_keys;
  if (!flags.api_key_file.empty()) {
    FM_ASSIGN_OR_RETURN(const std::string text, ReadText(flags.api_key_file));
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      std::string line = text.substr(at, end - at);
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
      if (!line.empty()) keys.push_back(std::move(line));
      at = end + 1;
    }
    if (keys.size() == flags.api_keys.size()) {
      return InvalidInput("there is no key in the file", flags.api_key_file,
                          "write one on a line, e.g. with: openssl rand -hex 24");
    }
  }
  for (const std::string& key : keys) {
    if (key.size() >= kKeyBytesMin) continue;
    return InvalidInput(fmt::format("a key of {} characters can be guessed", key.size()), {},
                        fmt::format("give at least {}", kKeyBytesMin));
  }
  return keys;
}

// What is wrong with the command line, if anything.
std::string UsageProblem(const ServeFlags& flags) {
  const bool keys = !flags.api_keys.empty() || !flags.api_key_file.empty();
  if (keys && flags.no_auth) return "--no-auth and a key exclude each other";
  if (!keys && !flags.no_auth && !IsLoopback(flags.host)) {
    return fmt::format(
        "on {} others can reach this server: give --api-key-file FILE or --api-key KEY, or "
        "--no-auth to let everyone in",
        flags.host);
  }
  return "";
}

// "ember-q4_k_m" for ".../ember-q4_k_m.gguf" and for ".../ember-q4_k_m/".
std::string ModelName(const ServeFlags& flags, const std::string& path) {
  if (!flags.name.empty()) return flags.name;
  std::filesystem::path file(path);
  if (!file.has_filename()) file = file.parent_path();
  return file.extension() == ".gguf" ? file.stem().string() : file.filename().string();
}

int64_t ModifiedSeconds(const std::string& path) {
  struct stat info = {};
  return stat(path.c_str(), &info) == 0 ? info.st_mtime : 0;
}

std::string Url(const ServeFlags& flags, uint16_t port) {
  std::string host = flags.host;
  if (host == "0.0.0.0" || host == "::") host = "127.0.0.1";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return fmt::format("http://{}:{}", host, port);
}

std::string StartText(const ServeFlags& flags, const EnginePlan& plan, const std::string& name,
                      const std::string& url, bool keys) {
  std::string text = fmt::format("flashmoe serves {} at {}\n", name, url);
  text += fmt::format("  plan       {}\n", plan.ToString());
  text += fmt::format("  requests   {} at once, {} waiting\n", flags.slots, flags.queue);
  text += fmt::format("  OpenAI     OPENAI_BASE_URL={}/v1 OPENAI_API_KEY={}\n", url,
                      keys ? "your key" : "none");
  text += fmt::format("  Anthropic  ANTHROPIC_BASE_URL={} ANTHROPIC_API_KEY={}\n", url,
                      keys ? "your key" : "none");
  text += fmt::format(
      "  try        curl {}/v1/chat/completions{} -d "
      "'{{\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n",
      url, keys ? " -H \"Authorization: Bearer $KEY\"" : "");
  if (flags.no_auth) text += "  NO KEY     whoever reaches this address may use it\n";
  return text;
}

void LogRequest(const http::RequestRecord& r) {
  PrintNote(
      Printable(fmt::format("{} {} {} {} {:.3f} s, {} bytes{}", r.peer,
                            r.method.empty() ? "-" : r.method, r.path.empty() ? "-" : r.path,
                            r.status, r.seconds, r.bytes_sent, r.left ? ", client left" : "")));
}

struct Loaded {
  std::unique_ptr<Engine> engine;
  std::string name;
  int64_t created_s = 0;
};

Result<Loaded> Load(const ServeFlags& flags, const CancelFlag& cancel) {
  FM_ASSIGN_OR_RETURN(EngineOptions options, MakeEngineOptions(flags.engine));
  options.cancel = &cancel;
  options.sequences = flags.slots;
  options.grammars = true;
  options.caller_bytes = kServerBytes;
  if (flags.engine.model.empty() && options.memory_bytes == 0) {
    options.memory_wish = kBundledModelMemory;
  }
  options.checkpoints.folder = flags.cache_dir;
  options.checkpoints.notice = [](const Error& error) {
    PrintNote("flashmoe: note: " + Printable(error.ToString()));
  };
  const uint64_t budget = std::max(options.memory_bytes, options.memory_wish);
  options.checkpoints.memory_bytes =
      budget > 0 ? std::min(budget / kPrefixPart, kPrefixMemoryMax) : kPrefixMemoryMax;
  if (!flags.prefix_memory.empty()) {
    FM_ASSIGN_OR_RETURN(options.checkpoints.memory_bytes, ParseBytes(flags.prefix_memory));
  }
  Loaded loaded;
  const std::string path = ModelPath(flags.engine.model);
  loaded.name = ModelName(flags, path);
  loaded.created_s = ModifiedSeconds(path);
  FM_ASSIGN_OR_RETURN(std::unique_ptr<ModelFile> file, OpenRunnableModel(flags.engine.model));
  FM_ASSIGN_OR_RETURN(TextModel text, LoadTextModel(*file));
  FM_ASSIGN_OR_RETURN(loaded.engine,
                      Engine::Load(std::move(file), std::move(text), options, TerminalProgress()));
  // What it was asked for before the last stop, it will be asked for again.
  if (Status status = loaded.engine->FetchResidentExperts(TerminalProgress(), &cancel);
      !status.has_value()) {
    if (status.error().code == ErrorCode::kCancelled) return std::unexpected(status.error());
    PrintNote("flashmoe: note: " + Printable(status.error().ToString()));
  }
  ClearProgress();
  PrintDeviations(flags.engine, *loaded.engine);
  return loaded;
}

Result<int> Serve(const ServeFlags& flags) {
  StopSignal stop;
  ModelServerOptions options;
  FM_ASSIGN_OR_RETURN(options.keys, ReadKeys(flags));
  FM_ASSIGN_OR_RETURN(const Loaded loaded, Load(flags, stop.loading()));
  stop.Loaded();
  SchedulerOptions scheduling;
  scheduling.slots = flags.slots;
  scheduling.queue_max = flags.queue;
  FM_ASSIGN_OR_RETURN(const std::unique_ptr<Scheduler> scheduler,
                      Scheduler::Create(*loaded.engine, scheduling));

  options.host = flags.host;
  options.port = static_cast<uint16_t>(flags.port);
  options.origins = flags.origins;
  options.model_id = loaded.name;
  options.created_s = loaded.created_s;
  options.answer_tokens_max = flags.max_tokens;
  if (flags.verbose) options.on_request = LogRequest;
  const bool keys = !options.keys.empty();
  FM_ASSIGN_OR_RETURN(
      const std::unique_ptr<ModelServer> server,
      ModelServer::Start(*loaded.engine, BackendOf(*scheduler), std::move(options)));
  Print(StartText(flags, loaded.engine->plan(), loaded.name, Url(flags, server->port()), keys));
  FM_RETURN_IF_ERROR(FinishOutput());

  stop.Wait();
  PrintNote(fmt::format("flashmoe: stopping; running answers have {} s (once more: at once)",
                        flags.stop_s));
  const bool all_done = server->Stop(flags.stop_s);
  scheduler->Stop(0);
  if (Status status = loaded.engine->SaveResidentExperts(); !status.has_value()) {
    PrintNote("flashmoe: note: " + Printable(status.error().ToString()));
  }
  PrintNote(all_done ? "flashmoe: stopped" : "flashmoe: stopped; some answers were cut off");
  return 0;
}

void AddServerOptions(CLI::App& app, ServeFlags& flags) {
  app.add_option("--host", flags.host,
                 "Address to listen on; 0.0.0.0: every network of this machine, which needs a key")
      ->capture_default_str();
  app.add_option("--port", flags.port, "Port to listen on; 0: any that is free")
      ->check(Between(0, 65535))
      ->capture_default_str();
  app.add_option("--api-key", flags.api_keys,
                 "Clients must send this key; may be repeated. Others on this machine can see it "
                 "in the list of processes: better use --api-key-file")
      ->type_name("KEY")
      ->envname("FLASHMOE_API_KEY");
  app.add_option("--api-key-file", flags.api_key_file, "The same, one key on each line")
      ->type_name("FILE");
  app.add_flag("--no-auth", flags.no_auth, "Let everyone in who can reach the address");
  app.add_option("--cors-origin", flags.origins,
                 "Let pages of this origin call, e.g. https://app.example; may be repeated; "
                 "default: only the server's own")
      ->type_name("ORIGIN");
  app.add_option("--name", flags.name, "The model's name for clients; default: its file's")
      ->type_name("NAME");
  app.add_option("--slots", flags.slots, "Requests that are computed at once")
      ->check(Between(1, 64))
      ->capture_default_str();
  app.add_option("--queue", flags.queue, "Requests that may wait; more are told to come back")
      ->check(Between(0, 10000))
      ->capture_default_str();
  app.add_option("-n,--max-tokens", flags.max_tokens,
                 "Most tokens of any answer; default: up to the end of the context")
      ->type_name("N")
      ->check(Between(1, int64_t{1} << 40));
  app.add_option("--cache-dir", flags.cache_dir,
                 "Keep what was read of long prompts in this folder, also for the next start, and "
                 "which experts were in memory")
      ->type_name("DIR");
  app.add_option(
         "--prefix-memory", flags.prefix_memory,
         "Memory, within the budget, to keep what was read of prompts, so that the next "
         "turn of a conversation reads only what is new; default: an eighth of --memory, at "
         "most 2GB")
      ->type_name("SIZE")
      ->check(CheckSize);
  app.add_option("--stop-seconds", flags.stop_s,
                 "After Ctrl-C or SIGTERM, running answers may go on for so long")
      ->check(CLI::Range(0.0, 86400.0).description(""))
      ->capture_default_str();
  app.add_flag("-v,--verbose", flags.verbose, "Print a line for every request");
}

}  // namespace

void AddServe(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App* serve =
      app.add_subcommand("serve", "Answer clients of the OpenAI and Anthropic APIs over HTTP");
  AddEngineOptions(*serve, flags->engine);
  AddServerOptions(*serve, *flags);
  serve->footer(
      "Paths: /v1/chat/completions /v1/completions /v1/responses /v1/models (OpenAI),\n"
      "  /v1/messages /v1/messages/count_tokens (Anthropic), /tokenize /detokenize,\n"
      "  /health /metrics (Prometheus) /v1/flashmoe/live (events)\n"
      "Examples:\n"
      "  flashmoe serve -m Qwen3.5-35B-A3B-Q4_K_M.gguf --memory 8GiB\n"
      "  OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=none your-program\n"
      "  ANTHROPIC_BASE_URL=http://127.0.0.1:8080 ANTHROPIC_API_KEY=none your-agent\n"
      "  curl http://127.0.0.1:8080/v1/chat/completions -d "
      "'{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'\n"
      "  openssl rand -hex 24 >keys && flashmoe serve --host 0.0.0.0 --api-key-file keys");
  serve->callback([flags, &exit_code] {
    if (const std::string problem = UsageProblem(*flags); !problem.empty()) {
      exit_code = ReportUsage("serve", problem);
      return;
    }
    const Result<int> result = Serve(*flags);
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

}  // namespace flashmoe::cli
