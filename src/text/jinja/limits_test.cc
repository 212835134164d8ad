// Templates that would not end, or would fill the memory, end soon with an error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/jinja/test_render.h"

namespace flashmoe::jinja {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Error ErrorOf(std::string_view source, const TestLimits& limits = {}) {
  const auto output = RenderForTest(source, nlohmann::ordered_json::object(), limits);
  EXPECT_FALSE(output.has_value()) << source;
  return output.has_value() ? Error{} : output.error();
}

std::string Repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(JinjaLimits, NestedLoopsRunOutOfSteps) {
  const Error error =
      ErrorOf("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}");
  EXPECT_EQ(error.code, ErrorCode::kOutOfMemory);
  EXPECT_THAT(error.what, HasSubstr("2000000 steps"));
  EXPECT_THAT(error.where, StartsWith("chat_template:1"));
}

TEST(JinjaLimits, HugeValuesAreRefusedBeforeTheyAreMade) {
  for (const char* source : {
           "{{ 'a' * 10**12 }}",
           "{{ 'ab' * 10**12 }}",
           "{{ [0] * 10**12 }}",
           "{{ ('a' * 10**7)|replace('a', 'b' * 10**7) }}",
           "{{ 'a'.center(10**15) }}",
           "{{ 'a'.ljust(10**15)|length }}",
           "{{ 'a'.zfill(10**15) }}",
           "{{ '\\t'.expandtabs(10**15) }}",
           "{{ 'a'|center(10**15) }}",
           "{{ 'a'|indent(10**15, true) }}",
           "{{ '\\n'|indent('a' * 10**7)|length }}{{ ('\\n' * 10**6)|indent('a' * 10**6, blank=1) "
           "}}",
           "{{ (',' * 10**7).join('a' * 10**4) }}",
           "{{ [1]|batch(10**15, 0)|list }}",
           "{{ [1]|slice(10**15)|list }}",
           "{{ ('a ' * 10**7).split() }}",
           "{{ ('a' * 5 * 10**7)|list }}",
           "{{ ('\\n' * 10**7).splitlines() }}",
       }) {
    const Error error = ErrorOf(source);
    EXPECT_EQ(error.code, ErrorCode::kOutOfMemory) << source << ": " << error.ToString();
  }
}

TEST(JinjaLimits, FormatsCannotPadWithoutBound) {
  for (const char* source :
       {"{{ '%999999999999s' % 'a' }}", "{{ '{:999999999999}'.format(1) }}",
        "{{ '%.999999999f' % 1.5 }}", "{{ '{:.100000f}'.format(1.5) }}", "{{ '%*d' % (10**9, 1) }}",
        "{{ strftime_now('%9999999999d') ~ 1/0 }}"}) {
    EXPECT_FALSE(RenderForTest(source).has_value()) << source;
  }
}

class JinjaUseOfALongString : public ::testing::TestWithParam<const char*> {};

TEST_P(JinjaUseOfALongString, CostsSteps) {
  const std::string loop = "{% set s = ' ' * 2000000 %}{% for i in range(100000) %}{% set x = ";
  EXPECT_THAT(ErrorOf(loop + GetParam() + " %}{% endfor %}").what, HasSubstr("steps"));
}

INSTANTIATE_TEST_SUITE_P(Uses, JinjaUseOfALongString,
                         ::testing::Values("s.strip()", "s|trim", "s.split()", "s.find('x')",
                                           "s.count('x')", "'x' in s", "s is upper", "s.isdigit()",
                                           "s.upper()", "s|wordcount", "s[::-1]|length",
                                           "s == (s ~ '')", "s.startswith('x')",
                                           "s.ljust(3000000)|length", "s|truncate(9)", "s|int",
                                           "s.rfind('x')", "s.splitlines()", "s.replace(' ', '')",
                                           "s|tojson", "s|urlencode", "{s: 1}"));

TEST(JinjaLimits, CallsTakeOnlySoManyArguments) {
  EXPECT_THAT(ErrorOf("{{ dict(*range(100000)) }}").what, HasSubstr("too many arguments"));
}

TEST(JinjaLimits, DoublingEnds) {
  for (const char* step :
       {"ns.x ~ ns.x", "ns.x + ns.x", "ns.x * 2", "ns.x|replace('', ns.x)", "ns.x|join(ns.x)"}) {
    const std::string source =
        "{% set ns = namespace(x='aaaa') %}{% for i in range(100) %}"
        "{% set ns.x = " +
        std::string(step) + " %}{% endfor %}";
    EXPECT_EQ(ErrorOf(source).code, ErrorCode::kOutOfMemory) << step;
  }
}

TEST(JinjaLimits, SharedListsThatUnfoldEnd) {
  const std::string build =
      "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}"
      "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}";
  for (const char* use :
       {"{{ ns.x }}", "{{ ns.x|tojson }}", "{{ ns.x == ns.y }}", "{{ ns.x < ns.y }}",
        "{{ {(ns.x|string): 1} }}", "{{ ns.x in [ns.y] }}"}) {
    EXPECT_EQ(ErrorOf(build + use).code, ErrorCode::kOutOfMemory) << use;
  }
}

TEST(JinjaLimits, ValuesNestOnlySoDeep) {
  const Error error = ErrorOf(
      "{% set ns = namespace(x=1) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}"
      "{% endfor %}");
  EXPECT_THAT(error.what, HasSubstr("nest more than 200 deep"));
}

TEST(JinjaLimits, LongChainsOfObjectsAreFreed) {
  // Each namespace and each macro's scope holds the one before.
  const auto namespaces = RenderForTest(
      "{% set ns = namespace(x=none) %}{% for i in range(20000) %}{% set ns.x = namespace(p=ns.x) "
      "%}"
      "{% endfor %}done");
  EXPECT_EQ(namespaces.value_or("failed"), "done");
  const auto macros = RenderForTest(
      "{% set ns = namespace(x=none) %}"
      "{% macro f(p) %}{% macro g() %}{{ p }}{% endmacro %}{% set ns.x = g %}{% endmacro %}"
      "{% for i in range(20000) %}{{ f(ns.x) }}{% endfor %}done");
  EXPECT_EQ(macros.value_or("failed"), "done");
}

TEST(JinjaLimits, CyclesPrintAndAreFreed) {
  // The leak sanitizer sees what stays behind.
  const auto output = RenderForTest(
      "{% set ns = namespace() %}{% set ns.me = ns %}{% set ns.list = [ns] %}"
      "{% macro m() %}{% endmacro %}{% set ns.m = m %}{% for i in [1] %}{% set ns.loop = loop %}"
      "{% endfor %}{{ ns.me.me is defined }}{{ ns.loop.index is defined }}");
  EXPECT_EQ(output.value_or("failed"), "TrueFalse");
  EXPECT_EQ(RenderForTest("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}").value_or(""),
            "<Namespace {'me': <Namespace {...}>}>");
}

TEST(JinjaLimits, MacrosRecurseOnlySoDeep) {
  EXPECT_THAT(ErrorOf("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}").what,
              HasSubstr("macros call each other more than 100 deep"));
  // With much evaluation between one call and the next.
  std::string source = "{% macro f() %}{{ " + Repeated("[", 50) + "f()" + Repeated("]", 50) +
                       " }}{% endmacro %}{{ f() }}";
  EXPECT_THAT(ErrorOf(source).what, HasSubstr("recurses too deeply"));
}

TEST(JinjaLimits, FiltersRecurseOnlySoDeep) {
  const std::string source = "{{ ['a']|map(" + Repeated("'map', ", 5000) + "'upper')|list }}";
  EXPECT_THAT(ErrorOf(source).what, HasSubstr("recurses too deeply"));
}

TEST(JinjaLimits, SourcesNestOnlySoDeep) {
  for (const std::string& source :
       {"{{ " + Repeated("(", 100000) + "1" + Repeated(")", 100000) + " }}",
        "{{ " + Repeated("[", 100000) + Repeated("]", 100000) + " }}",
        "{{ " + Repeated("{1:", 100000) + "1" + Repeated("}", 100000) + " }}",
        "{{ " + Repeated("-", 100000) + "1 }}", "{{ " + Repeated("not ", 100000) + "1 }}",
        "{{ 1" + Repeated("+1", 100000) + " }}", "{{ a" + Repeated(".b", 100000) + " }}",
        "{{ a" + Repeated("|d", 100000) + " }}", "{{ 1" + Repeated(" if 1 else 1", 100000) + " }}",
        "{{ a" + Repeated("(a", 100000) + Repeated(")", 100000) + " }}",
        "{{ a" + Repeated("[a", 100000) + Repeated("]", 100000) + " }}",
        "{{ a" + Repeated(" or a", 100000) + " }}", Repeated("{% if 1 %}", 100000),
        Repeated("{% for a in b %}", 100000),
        "{% set " + Repeated("(", 100000) + Repeated(")", 100000) + " %}",
        "{{ 1" + Repeated("**1", 100000) + " }}"}) {
    const auto parsed = Parse(source);
    ASSERT_FALSE(parsed.has_value()) << source.substr(0, 20);
    EXPECT_THAT(parsed.error().what, HasSubstr("too deeply")) << source.substr(0, 20);
  }
}

TEST(JinjaLimits, LongFlatSourcesParse) {
  EXPECT_TRUE(Parse(Repeated("{% if a %}{% endif %}", 20000)).has_value());
  EXPECT_TRUE(Parse("{% if a %}" + Repeated("{% elif a %}", 20000) + "{% endif %}").has_value());
  EXPECT_TRUE(Parse("{{ [" + Repeated("1,", 50000) + "] }}").has_value());
  EXPECT_TRUE(Parse("{{ a" + Repeated("~a", 50000) + " }}").has_value());
}

TEST(JinjaLimits, OutputIsBounded) {
  TestLimits limits;
  limits.render.output_bytes = 1000;
  EXPECT_THAT(ErrorOf("{% for i in range(100) %}0123456789abcdef{% endfor %}", limits).what,
              HasSubstr("output exceeds 1000 bytes"));
  EXPECT_THAT(ErrorOf("{{ 'a' * 1001 }}", limits).what, HasSubstr("output exceeds 1000 bytes"));
  EXPECT_TRUE(
      RenderForTest("{{ 'a' * 1000 }}", nlohmann::ordered_json::object(), limits).has_value());
}

TEST(JinjaLimits, ValuesAreCountedWhileTheyLive) {
  TestLimits limits;
  limits.value_bytes = 1 << 20;
  // 100 MB in all, but never more than one piece of it at once.
  const char* one_by_one = "{% for i in range(1000) %}{% set x = 'a' * 100000 %}{% endfor %}ok";
  EXPECT_EQ(RenderForTest(one_by_one, nlohmann::ordered_json::object(), limits).value_or("failed"),
            "ok");
  const char* kept =
      "{% set ns = namespace(l=[]) %}{% for i in range(1000) %}"
      "{% set ns.l = ns.l + ['a' * 100000] %}{% endfor %}";
  EXPECT_EQ(ErrorOf(kept, limits).code, ErrorCode::kOutOfMemory);
}

TEST(JinjaLimits, IntegersDoNotOverflow) {
  for (const char* source :
       {"{{ 9223372036854775807 + 1 }}", "{{ -9223372036854775807 - 2 }}",
        "{{ 9223372036854775807 * 2 }}", "{{ 2 ** 63 }}", "{{ (-9223372036854775807 - 1) // -1 }}",
        "{{ -(-9223372036854775807 - 1) }}", "{{ (-9223372036854775807 - 1)|abs }}",
        "{{ 9223372036854775808 }}", "{{ '9223372036854775808'|int }}", "{{ 1e300|int }}"}) {
    EXPECT_THAT(ErrorOf(source).what, testing::AnyOf(HasSubstr("64 bits"), HasSubstr("too large")))
        << source;
  }
  EXPECT_EQ(RenderForTest("{{ (-9223372036854775807 - 1) % -1 }}").value_or("failed"), "0");
}

}  // namespace
}  // namespace flashmoe::jinja
