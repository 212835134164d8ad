// flashmoe tokenize: text to token ids and back.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apps/flashmoe/command_line.h"
#include "engine/text_model.h"

namespace flashmoe::cli {
namespace {

struct TokenizeFlags {
  std::string model, file;
  std::optional<std::string> prompt, decode;
  bool no_special = false, json = false;
};

// "1 2 3", "1,2,3" or a JSON array.
Result<std::vector<int32_t>> ParseIds(const std::string& text) {
  std::vector<int32_t> ids;
  size_t at = 0;
  while (true) {
    at = text.find_first_not_of(" ,[]\t\r\n", at);
    if (at == std::string::npos) return ids;
    size_t end = text.find_first_of(" ,[]\t\r\n", at);
    if (end == std::string::npos) end = text.size();
    const std::string word = text.substr(at, end - at);
    if (word.size() > 9 || word.find_first_not_of("0123456789") != std::string::npos) {
      return InvalidInput(fmt::format("'{}' is no token id", word), "--decode",
                          "write ids like 1,2,3");
    }
    ids.push_back(std::stoi(word));
    at = end;
  }
}

Result<int> Decode(const TokenizeFlags& flags, const Tokenizer& tokenizer) {
  FM_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, ParseIds(*flags.decode));
  const std::string text = tokenizer.Decode(ids, /*skip_special=*/flags.no_special);
  if (flags.json) {
    PrintJson({{"text", text}, {"ids", ids}});
  } else {
    Print(text + "\n");
  }
  return 0;
}

Result<int> Tokenize(const TokenizeFlags& flags) {
  FM_ASSIGN_OR_RETURN(const std::unique_ptr<ModelFile> file, OpenModel(flags.model));
  FM_ASSIGN_OR_RETURN(const Tokenizer tokenizer, LoadTokenizer(*file));
  if (flags.decode) return Decode(flags, tokenizer);
  std::string text = flags.prompt.value_or("");
  if (!flags.prompt) {
    FM_ASSIGN_OR_RETURN(text, ReadText(flags.file.empty() ? "-" : flags.file));
  }
  const std::vector<int32_t> ids = tokenizer.Encode(text, /*parse_added=*/!flags.no_special);
  if (flags.json) {
    PrintJson({{"ids", ids}});
  } else {
    Print(fmt::format("{}\n", fmt::join(ids, " ")));
  }
  return 0;
}

}  // namespace

void AddTokenize(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<TokenizeFlags>();
  CLI::App* tokenize = app.add_subcommand("tokenize", "Text to token ids, or back with --decode");
  AddModelOption(*tokenize, flags->model);
  tokenize->add_option("-f,--file", flags->file, "Text; default: standard input")
      ->type_name("FILE");
  tokenize->add_option("-p,--prompt", flags->prompt, "Text, given here")->type_name("TEXT");
  tokenize->add_option("--decode", flags->decode, "Ids to turn into text, e.g. 1,2,3")
      ->type_name("IDS");
  tokenize->add_flag("--no-special", flags->no_special,
                     "Take <|im_start|> and the like as ordinary text; with --decode leave them "
                     "out");
  tokenize->add_flag("--json", flags->json, "Print an object with \"ids\"");
  tokenize->callback([flags, &exit_code] {
    const Result<int> result = Tokenize(*flags);
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

}  // namespace flashmoe::cli
