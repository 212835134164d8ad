// flashmoe: runs Mixture-of-Experts models that are larger than memory.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

#include "apps/flashmoe/command_line.h"

namespace flashmoe::cli {
namespace {

// CLI11 explains in several lines; the first one says what is wrong.
int ReportParseError(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  const std::string what = error.what();
  const auto commands = app.get_subcommands();
  return ReportUsage(commands.empty() ? "" : commands.front()->get_name(),
                     what.substr(0, what.find('\n')));
}

bool HasCommand(const CLI::App& app, std::string_view name) {
  const auto commands = app.get_subcommands({});
  return std::any_of(commands.begin(), commands.end(),
                     [&](const CLI::App* command) { return command->get_name() == name; });
}

int Main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);  // a closed pipe is seen at the next write
  CLI::App app(
      "Runs Mixture-of-Experts language models that are larger than memory: what every token needs "
      "is kept in memory, the experts it chooses are read from disk.");
  app.name("flashmoe");
  app.set_version_flag("--version", "flashmoe " FLASHMOE_VERSION, "Print the version");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  flashmoe run -p \"What does the grep command do?\"\n"
      "  flashmoe chat -m Qwen3.5-35B-A3B-Q4_K_M.gguf --memory 8GiB\n"
      "  flashmoe run -m Qwen3.5-35B-A3B-Q4_K_M.gguf --memory 8GiB -p \"Tell me a story.\"\n"
      "  flashmoe serve -m Qwen3.5-35B-A3B-Q4_K_M.gguf --memory 8GiB\n"
      "  flashmoe plan --geometry qwen3.5-397b-a17b --experts-type q4_k --memory 24GiB\n"
      "  flashmoe bench -m Qwen3.5-35B-A3B-Q4_K_M.gguf --memory 4GiB,8GiB --html report.html\n"
      "Every command explains itself with --help.");
  int exit_code = 0;
  AddRun(app, exit_code);
  AddChat(app, exit_code);
  AddServe(app, exit_code);
  AddEval(app, exit_code);
  AddInfo(app, exit_code);
  AddTokenize(app, exit_code);
  AddPrompt(app, exit_code);
  AddSynth(app, exit_code);
  AddTrace(app, exit_code);
  AddPlan(app, exit_code);
  AddBench(app, exit_code);
  if (argc == 1) {
    Print(app.help());
  } else if (argv[1][0] != '-' && !HasCommand(app, argv[1])) {
    exit_code = ReportUsage("", fmt::format("there is no command '{}'", argv[1]));
  } else {
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      exit_code = ReportParseError(app, error);
    }
  }
  const Status written = FinishOutput();
  return exit_code == 0 && !written.has_value() ? Report(written.error()) : exit_code;
}

}  // namespace
}  // namespace flashmoe::cli

int main(int argc, char** argv) { return flashmoe::cli::Main(argc, argv); }
