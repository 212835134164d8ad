// flashmoe: runs Mixture-of-Experts models that are larger than memory.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "apps/flashmoe/command_line.h"

int main(int argc, char** argv) {
  CLI::App app(
      "Runs Mixture-of-Experts language models that are larger than memory: what every token needs "
      "is kept in memory, the experts it chooses are read from disk.");
  app.name("flashmoe");
  app.set_version_flag("--version", "flashmoe " FLASHMOE_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  flashmoe run -p \"What does the grep command do?\"\n"
      "  flashmoe run -m Qwen3.5-35B-A3B-Q4_K_M.gguf --memory 8GiB -p \"Tell me a story.\"\n"
      "  flashmoe info -m Qwen3.5-35B-A3B-Q4_K_M.gguf\n"
      "Every command explains itself with --help.");
  int exit_code = 0;
  flashmoe::cli::AddRun(app, exit_code);
  flashmoe::cli::AddEval(app, exit_code);
  flashmoe::cli::AddInfo(app, exit_code);
  flashmoe::cli::AddTokenize(app, exit_code);
  flashmoe::cli::AddPrompt(app, exit_code);
  if (argc == 1) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == 0;  // --help, --version
    app.exit(error);
    return asked ? 0 : 2;
  }
  return exit_code;
}
