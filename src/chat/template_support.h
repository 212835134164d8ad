// For tests of prompts: the templates and the tokenizer of the test data.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace flashmoe {

inline std::string ReadTestData(const std::string& name) {
  std::ifstream file(std::string(FLASHMOE_TEST_DATA) + "/" + name, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline ChatTemplate LoadTemplate(const std::string& name) {
  auto parsed = ChatTemplate::Parse(ReadTestData("chat/" + name + ".jinja"));
  if (!parsed.has_value()) ADD_FAILURE() << parsed.error().ToString();
  return std::move(*parsed);
}

// Loaded once.
inline const Tokenizer& TestTokenizer() {
  static const Tokenizer* const tokenizer = [] {
    auto spec = ParseTokenizerJson(ReadTestData("tokenizer/ember-tokenizer.json"));
    auto made = Tokenizer::Create(std::move(*spec));
    return new Tokenizer(std::move(*made));
  }();
  return *tokenizer;
}

}  // namespace flashmoe
