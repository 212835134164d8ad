#include "format/shard_name.h"

#include <fmt/format.h>

#include <charconv>

namespace flashmoe {
namespace {

constexpr size_t kDigits = 5;

// Takes five digits from the end of `text`.
std::optional<int> TakeNumber(std::string_view& text) {
  if (text.size() < kDigits) return std::nullopt;
  const std::string_view digits = text.substr(text.size() - kDigits);
  if (digits.find_first_not_of("0123456789") != digits.npos) return std::nullopt;
  int value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  text.remove_suffix(kDigits);
  return value;
}

bool TakeSuffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

}  // namespace

std::optional<ShardName> ParseShardName(std::string_view file_name, std::string_view suffix) {
  std::string_view rest = file_name;
  if (!TakeSuffix(rest, suffix)) return std::nullopt;
  const auto count = TakeNumber(rest);
  if (!count.has_value() || !TakeSuffix(rest, "-of-")) return std::nullopt;
  const auto number = TakeNumber(rest);
  if (!number.has_value() || !TakeSuffix(rest, "-")) return std::nullopt;
  if (*number < 1 || *number > *count) return std::nullopt;
  return ShardName{std::string(rest), *number, *count, std::string(suffix)};
}

std::string MakeShardName(const ShardName& name) {
  return fmt::format("{}-{:05}-of-{:05}{}", name.prefix, name.number, name.count, name.suffix);
}

}  // namespace flashmoe
