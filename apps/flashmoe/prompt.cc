// flashmoe prompt: what a chat request looks like to the model.
#include <fmt/format.h>

#include "apps/flashmoe/command_line.h"
#include "engine/text_model.h"

namespace flashmoe::cli {
namespace {

struct PromptFlags {
  std::string model, template_file, request;
};

Result<ChatTemplate> LoadTemplate(const PromptFlags& flags) {
  if (flags.template_file.empty()) {
    FM_ASSIGN_OR_RETURN(const std::unique_ptr<ModelFile> file, OpenModel(flags.model));
    return LoadChatTemplate(*file);
  }
  FM_ASSIGN_OR_RETURN(const std::string source, ReadText(flags.template_file));
  return ChatTemplate::Parse(source);
}

Result<int> Prompt(const PromptFlags& flags) {
  FM_ASSIGN_OR_RETURN(const nlohmann::ordered_json request, ReadJson(flags.request));
  if (!request.is_object()) {
    return InvalidInput("the request is not a JSON object", flags.request,
                        "write {\"messages\": [{\"role\": \"user\", \"content\": \"...\"}]}");
  }
  FM_ASSIGN_OR_RETURN(const ChatTemplate chat_template, LoadTemplate(flags));
  FM_ASSIGN_OR_RETURN(const std::string text, chat_template.Render(request));
  Print(text);
  return 0;
}

}  // namespace

void AddPrompt(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<PromptFlags>();
  CLI::App* prompt =
      app.add_subcommand("prompt", "The text that a chat request becomes for the model");
  AddModelOption(*prompt, flags->model);
  prompt->add_option("--template", flags->template_file, "A Jinja template instead of the model's")
      ->type_name("FILE");
  prompt
      ->add_option("--request", flags->request,
                   "{\"messages\", \"tools\", \"enable_thinking\", \"add_generation_prompt\", "
                   "...}; - reads standard input")
      ->type_name("FILE.json")
      ->required();
  prompt->callback([flags, &exit_code] {
    const Result<int> result = Prompt(*flags);
    exit_code = result.has_value() ? *result : Report(result.error());
  });
}

}  // namespace flashmoe::cli
