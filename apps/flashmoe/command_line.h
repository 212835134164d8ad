// What the subcommands share: options, errors, the terminal.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/status.h"
#include "engine/engine.h"
#include "format/model_file.h"

namespace flashmoe::cli {

// Exit codes: 0 fine, 1 an error that stderr names, 2 wrong usage, 130 interrupted.
inline constexpr int kFailed = 1;
inline constexpr int kWrongUsage = 2;
inline constexpr int kInterrupted = 130;

// Prints "flashmoe: error: ..." as one line on stderr; returns the exit code.
int Report(const Error& error);
// The same for a command line that makes no sense. `command`: "run", or empty.
int ReportUsage(const std::string& command, const std::string& problem);

// The only ways to standard output and standard error. Neither fails: what could not be written to
// standard output is noticed by FinishOutput().
void Print(std::string_view text);
void PrintNote(std::string_view line);  // and a newline, to stderr
// Whether all that was printed has been written.
Status FinishOutput();
// Text from a model file, harmless to a terminal: control characters become spaces.
std::string Printable(std::string text);

// Set by the first SIGINT or SIGTERM; the first after so many ends the process at once.
const CancelFlag& InstallInterruptHandler(int patience = 1);
// The next SIGINT is a first one again. One that came with SIGTERM stays set.
void RearmInterruptHandler();
// Whether SIGTERM came.
bool WasTerminated();

// What the bundled model, a file of 24.7 MB, gets unless told otherwise: less than it is large, so
// that its experts are read while it answers.
inline constexpr uint64_t kBundledModelMemory = 21'000'000;

// Reads a whole file, or standard input for "-". Bounded: 1 GiB.
Result<std::string> ReadText(const std::string& path);
// The same as JSON.
Result<nlohmann::ordered_json> ReadJson(const std::string& path);

// A JSON array of token ids, or an object with one under "ids" or "tokens".
Result<std::vector<int32_t>> ReadTokens(const std::string& path);
// The ids in `tokens`, or if that is empty, those of the text in `text`.
Result<std::vector<int32_t>> ReadTokensOrText(const std::string& tokens, const std::string& text,
                                              const TextModel& words);

// A type of weights by its name in any case.
Result<DType> TypeByName(const std::string& name);

// Accepts integers of this range.
CLI::Validator Between(int64_t least, int64_t most);
// What is wrong with a size like "6GiB"; empty: nothing.
std::string CheckSize(const std::string& text);

// -m, --model; without it the bundled model.
void AddModelOption(CLI::App& app, std::string& model);
std::string ModelPath(const std::string& model);  // that of the bundled model for ""
Result<std::unique_ptr<ModelFile>> OpenModel(const std::string& model);
// Only what this program can run: whoever gives another kind of model is told so first of all.
Result<std::unique_ptr<ModelFile>> OpenRunnableModel(const std::string& model);

// --memory, --threads, --ctx, --io, --cache, --prefetch, --cache-policy, --isa, --kv,
// --experts-per-token.
struct EngineFlags {
  std::string model, memory, io = "auto", cache = "auto", prefetch = "auto", cache_policy,
                             isa = "auto", kv = "auto";
  int threads = 0;
  int64_t context = 0;
  int experts_per_token = 0;
};
void AddEngineOptions(CLI::App& app, EngineFlags& flags);
void AddIsaOption(CLI::App& app, std::string& isa);
Result<EngineOptions> MakeEngineOptions(const EngineFlags& flags);
// Says on stderr where the engine does something else than asked or than the model was made for.
void PrintDeviations(const EngineFlags& flags, Engine& engine);

// A bar on stderr for what takes longer than a moment; nothing unless stderr is a terminal.
ProgressFn TerminalProgress();
// Takes the bar away, if one stands there.
void ClearProgress();

// JSON on stdout, one object and a newline; broken UTF-8 is replaced.
void PrintJson(const nlohmann::ordered_json& value);

nlohmann::ordered_json PlanToJson(const EnginePlan& plan);
nlohmann::ordered_json MemoryPlanToJson(const MemoryPlan& memory);

// The subcommands. Each registers itself and stores its exit code through `exit_code`.
void AddRun(CLI::App& app, int& exit_code);
void AddChat(CLI::App& app, int& exit_code);
void AddEval(CLI::App& app, int& exit_code);
void AddInfo(CLI::App& app, int& exit_code);
void AddTokenize(CLI::App& app, int& exit_code);
void AddPrompt(CLI::App& app, int& exit_code);
void AddSynth(CLI::App& app, int& exit_code);
void AddTrace(CLI::App& app, int& exit_code);
void AddPlan(CLI::App& app, int& exit_code);
void AddBench(CLI::App& app, int& exit_code);
void AddServe(CLI::App& app, int& exit_code);

}  // namespace flashmoe::cli
