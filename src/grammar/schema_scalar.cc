// Strings and numbers of a schema.
#include <fmt/format.h>

#include <algorithm>

#include "grammar/machine.h"
#include "grammar/schema_compiler.h"
#include "text/utf8.h"

namespace flashmoe::grammar {
namespace {

constexpr int64_t kMultipleMax = 1000;

// Texts of the machine, and then the byte, which none of them contains.
Machine FollowedBy(Machine machine, uint8_t byte) {
  const auto end = static_cast<StateId>(machine.states.size());
  for (Machine::State& state : machine.states) {
    if (!state.final) continue;
    state.final = false;
    state.bytes.push_back({byte, byte, end});
    std::sort(state.bytes.begin(), state.bytes.end());
  }
  machine.states.emplace_back().final = true;
  return machine;
}

}  // namespace

Result<std::optional<uint64_t>> SchemaCompiler::Count(const Schema& schema, const char* keyword,
                                                      const std::string& pointer) {
  const auto found = schema.find(keyword);
  if (found == schema.end()) return std::optional<uint64_t>();
  const double value = found->is_number() ? found->get<double>() : -1;
  if (value < 0 || value > 1e15 || value != static_cast<double>(static_cast<uint64_t>(value))) {
    return InvalidInput(fmt::format("{} is not a count", keyword),
                        prefix_ + Below(pointer, keyword), "write a whole number from 0 on");
  }
  return static_cast<uint64_t>(value);
}

Result<StringLimits> SchemaCompiler::StringLimitsOf(const Schema& schema,
                                                    const std::string& pointer) {
  StringLimits limits;
  FM_ASSIGN_OR_RETURN(const auto least, Count(schema, "minLength", pointer));
  FM_ASSIGN_OR_RETURN(limits.length_most, Count(schema, "maxLength", pointer));
  limits.length_least = least.value_or(0);
  if (limits.length_most && *limits.length_most < limits.length_least) {
    return InvalidInput("minLength is above maxLength", prefix_ + Below(pointer, "minLength"));
  }
  for (const auto& [key, text] :
       {std::pair("pattern", &limits.pattern), std::pair("format", &limits.format)}) {
    const auto found = schema.find(key);
    if (found == schema.end()) continue;
    if (!found->is_string()) {
      return InvalidInput(fmt::format("{} is not a text", key), prefix_ + Below(pointer, key));
    }
    *text = found->get<std::string>();
  }
  if (!limits.format.empty() && !FormatPattern(limits.format)) {
    FM_RETURN_IF_ERROR(
        Unsupported(Below(pointer, "format"),
                    fmt::format("the format {} is not supported", QuoteText(limits.format))));
    limits.format.clear();
  }
  return limits;
}

Result<Machine> SchemaCompiler::StringMachineOf(StringLimits limits, TextEncoding encoding,
                                                const std::string& pointer) {
  const GrammarLimits& grammar_limits = context_.builder.limits();
  Result<Machine> machine = StringMachine(limits, encoding, grammar_limits);
  if (machine.has_value()) return machine;
  Error error = std::move(machine).error();
  const char* keyword = !limits.pattern.empty()  ? "pattern"
                        : limits.length_most     ? "maxLength"
                        : !limits.format.empty() ? "format"
                                                 : "minLength";
  const std::string where = Below(pointer, keyword);
  if (!context_.lenient) {
    error.where = prefix_ + where + (error.where.empty() ? "" : ", " + error.where);
    return std::unexpected(std::move(error));
  }
  FM_RETURN_IF_ERROR(Unsupported(where, error.what));
  if (!limits.pattern.empty()) {
    limits.pattern.clear();
  } else {
    limits = {};
  }
  return StringMachineOf(std::move(limits), encoding, pointer);
}

Result<NodeId> SchemaCompiler::AppendString(Nfa& nfa, NodeId from, const Schema& schema,
                                            const std::string& pointer) {
  FM_ASSIGN_OR_RETURN(const StringLimits limits, StringLimitsOf(schema, pointer));
  if (limits.IsPlain()) return context_.text.AnyString(nfa, from);
  const std::string key =
      fmt::format("{} {} {} {}", limits.length_least, limits.length_most.value_or(UINT64_MAX),
                  limits.format, limits.pattern);
  const auto [at, fresh] = strings_.try_emplace(key, 0);
  if (fresh) {
    at->second = context_.builder.Reserve();
    FM_ASSIGN_OR_RETURN(Machine machine,
                        StringMachineOf(limits, TextEncoding::kJsonString, pointer));
    context_.builder.Define(at->second, FollowedBy(std::move(machine), '"'));
  }
  return nfa.Call(nfa.Literal(from, "\""), at->second);
}

Result<NumberRange> SchemaCompiler::NumberRangeOf(bool integer, const Schema& schema,
                                                  const std::string& pointer) {
  NumberRange range{.integer = integer};
  for (const char* keyword : {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}) {
    const auto found = schema.find(keyword);
    if (found == schema.end()) continue;
    const std::optional<Decimal> bound =
        found->is_number() ? Decimal::Parse(found->dump()) : std::nullopt;
    if (!bound) {
      return InvalidInput(fmt::format("{} is not a number", keyword),
                          prefix_ + Below(pointer, keyword));
    }
    const bool exclusive = keyword[0] == 'e';
    const bool is_least = std::string_view(keyword).ends_with("inimum");
    auto& side = is_least ? range.least : range.most;
    auto& side_exclusive = is_least ? range.least_exclusive : range.most_exclusive;
    if (side) {
      // Both kinds of one bound: the one that cuts off more.
      const double other = schema[is_least ? "minimum" : "maximum"].get<double>();
      const double value = found->get<double>();
      if (is_least ? value < other : value > other) continue;
    }
    side = bound;
    side_exclusive = exclusive;
  }
  const auto multiple = schema.find("multipleOf");
  if (multiple == schema.end() || *multiple == 1) {
    range.integer = range.integer || multiple != schema.end();
    return range;
  }
  if (!multiple->is_number() || multiple->get<double>() <= 0) {
    return InvalidInput("multipleOf is not a number above 0",
                        prefix_ + Below(pointer, "multipleOf"));
  }
  const double value = multiple->get<double>();
  if (value > kMultipleMax || value != static_cast<double>(static_cast<int64_t>(value))) {
    FM_RETURN_IF_ERROR(Unsupported(
        Below(pointer, "multipleOf"),
        fmt::format("multipleOf is supported for whole numbers up to {}", kMultipleMax)));
    return range;
  }
  range.integer = true;
  range.multiple_of = static_cast<int64_t>(value);
  return range;
}

Result<NodeId> SchemaCompiler::AppendNumber(Nfa& nfa, NodeId from, bool integer,
                                            const Schema& schema, const std::string& pointer) {
  FM_ASSIGN_OR_RETURN(const NumberRange range, NumberRangeOf(integer, schema, pointer));
  Result<Machine> machine = NumberMachine(range, context_.builder.limits());
  if (!machine.has_value()) {
    FM_RETURN_IF_ERROR(Unsupported(pointer, machine.error().what));
    machine = PlainNumberMachine(range.integer);
  }
  return nfa.Insert(from, *machine);
}

}  // namespace flashmoe::grammar
