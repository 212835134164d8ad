// What errors say and where they point.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/jinja/test_render.h"

namespace flashmoe::jinja {
namespace {

using testing::HasSubstr;

struct Case {
  const char* source;
  const char* what;
  const char* where;
};

TEST(JinjaErrors, SayWhatAndWhere) {
  const Case cases[] = {
      {"\n{{ raise_exception('No user query found.') }}", "No user query found.",
       "chat_template:2"},
      {"{% if a %}{{ b.c }}{% endif %}\n\n{{ x.y }}", "'x' is undefined", "chat_template:3"},
      {"a\n{% for m in [1] %}\n{{ m.role.name }}\n{% endfor %}",
       "'int object' has no attribute 'role'", "chat_template:3"},
      {"{{ [][0].role }}", "list object has no element 0", "chat_template:1"},
      {"{{ {'a': 1}.b.c }}", "'dict object' has no attribute 'b'", "chat_template:1"},
      {"{{ [1].append(2) }}", "access to attribute 'append' of 'list' object is unsafe",
       "chat_template:1"},
      {"{{ {}.update(a=1) }}", "access to attribute 'update' of 'dict' object is unsafe",
       "chat_template:1"},
      {"\n\n{{ 1|nope }}", "No filter named 'nope'", "chat_template:3"},
      {"{{ 1 is nope }}", "No test named 'nope'", "chat_template:1"},
      {"{{ 'a' + 1 }}", "can only concatenate str (not \"int\") to str", "chat_template:1"},
      {"{{ 1 < 'a' }}", "'<' not supported between instances of 'int' and 'str'",
       "chat_template:1"},
      {"{{ 5() }}", "'int' object is not callable", "chat_template:1"},
      {"{% macro m(a) %}\n{% endmacro %}\n{{ m(1, 2) }}",
       "macro 'm' takes not more than 1 argument(s)", "chat_template:3"},
      {"{% set a, b = [1] %}", "not enough values to unpack (expected 2, got 1)",
       "chat_template:1"},
      {"{% set d.a = 1 %}", "cannot assign attribute on non-namespace object", "chat_template:1"},
      {"{{ range(10**6) }}", "Range too big", "chat_template:1"},
      {"x\n{% include 'other' %}", "the tag 'include' is not supported in chat templates",
       "chat_template:2"},
      {"{% import 'a' as b %}", "the tag 'import' is not supported", "chat_template:1"},
      {"{% for i in [] recursive %}{% endfor %}", "recursive loops are not supported",
       "chat_template:1"},
      {"\n{% nope %}", "Encountered unknown tag 'nope'", "chat_template:2"},
      {"{% if 1 %}\n\n", "a block lacks its endif", "chat_template:1"},
      {"{{ (1 }}", "unexpected '}'", "chat_template:1"},
      {"\n{{ 'abc }}", "a string lacks its closing quote", "chat_template:2"},
      {"a\n{# b", "a comment lacks its end", "chat_template:2"},
      {"{% raw %}\n{{ x }}", "a raw block lacks its end", "chat_template:1"},
      {"{{ 1 2 }}", "expected '}}', got '2'", "chat_template:1"},
      {"{{ a +\n }}", "expected an expression, got '}}'", "chat_template:2"},
      {"{% break %}", "'break' outside a loop", "chat_template:1"},
      {"{{ '\\ud83d' }}", "half a character", "chat_template:1"},
      {"{{ 1 is odd is true }}", "You cannot chain multiple tests with is", "chat_template:1"},
      {"\xff", "not valid UTF-8", "chat_template"},
  };
  for (const Case& expected : cases) {
    const auto output = RenderForTest(expected.source, {{"a", 0}, {"d", {{"b", 1}}}});
    ASSERT_FALSE(output.has_value()) << expected.source;
    EXPECT_THAT(output.error().what, HasSubstr(expected.what)) << expected.source;
    EXPECT_EQ(output.error().where, expected.where) << expected.source;
  }
}

TEST(JinjaErrors, UndefinedPrintsNothingButItsMembersAreErrors) {
  EXPECT_EQ(RenderForTest("[{{ x }}{{ {}.a }}{{ [].append }}]").value_or("failed"), "[]");
  EXPECT_FALSE(RenderForTest("{{ x.y }}").has_value());
}

TEST(JinjaErrors, MessagesOfHostileTemplatesStayShort) {
  const auto output = RenderForTest("{{ {}['" + std::string(100000, 'k') + "'].x }}");
  ASSERT_FALSE(output.has_value());
  EXPECT_LT(output.error().what.size(), 300u);
}

}  // namespace
}  // namespace flashmoe::jinja
