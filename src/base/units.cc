#include "base/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

namespace flashmoe {
namespace {

constexpr std::string_view kPrefixes = "kmgtpe";  // 1000^1, 1000^2, ...

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view TrimSpaces(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Bytes in one of the unit: "" and "B" are 1, "k" and "KB" 1000, "ki" and "KiB" 1024.
std::optional<uint64_t> ParseUnit(std::string_view unit) {
  if (unit.empty()) return 1;
  if (Lower(unit.front()) == 'b' && unit.size() == 1) return 1;
  const size_t power = kPrefixes.find(Lower(unit.front()));
  if (power == std::string_view::npos) return std::nullopt;
  unit.remove_prefix(1);
  uint64_t step = 1000;
  if (!unit.empty() && Lower(unit.front()) == 'i') {
    step = 1024;
    unit.remove_prefix(1);
  }
  if (!unit.empty() && Lower(unit.front()) == 'b') unit.remove_prefix(1);
  if (!unit.empty()) return std::nullopt;
  uint64_t bytes = 1;
  for (size_t i = 0; i <= power; ++i) bytes *= step;  // at most 1024^6 = 2^60
  return bytes;
}

std::unexpected<Error> NotASize(std::string_view text) {
  return InvalidInput(fmt::format("'{}' is not a size", text.substr(0, 40)), {},
                      "write it like 6GiB, 512 MiB, 1.5GB or 4096");
}

std::unexpected<Error> TooLarge(std::string_view text) {
  return InvalidInput(fmt::format("the size '{}' does not fit into 64 bits", text.substr(0, 40)));
}

}  // namespace

Result<uint64_t> ParseBytes(std::string_view text) {
  const std::string_view trimmed = TrimSpaces(text);
  size_t length = 0;
  while (length < trimmed.size() && IsDigit(trimmed[length])) ++length;
  const std::string_view whole = trimmed.substr(0, length);
  std::string_view fraction;
  if (length < trimmed.size() && trimmed[length] == '.') {
    size_t end = ++length;
    while (end < trimmed.size() && IsDigit(trimmed[end])) ++end;
    fraction = trimmed.substr(length, end - length);
    if (fraction.empty()) return NotASize(text);
    length = end;
  }
  const std::optional<uint64_t> unit = ParseUnit(TrimSpaces(trimmed.substr(length)));
  if (whole.empty() || !unit.has_value()) return NotASize(text);
  if (!fraction.empty() && *unit == 1) return NotASize(text);

  uint64_t bytes = 0;
  const auto parsed = std::from_chars(whole.data(), whole.data() + whole.size(), bytes);
  if (parsed.ec != std::errc() || __builtin_mul_overflow(bytes, *unit, &bytes)) {
    return TooLarge(text);
  }
  double part = 0;
  double digit_value = static_cast<double>(*unit);
  for (const char c : fraction) {
    digit_value /= 10;
    part += (c - '0') * digit_value;
  }
  // A tenth of a unit is not a binary fraction: what rounding left below a byte is not meant.
  if (__builtin_add_overflow(bytes, static_cast<uint64_t>(part + 0.001), &bytes)) {
    return TooLarge(text);
  }
  return bytes;
}

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  constexpr std::array<const char*, 6> kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  // 999.5 and more would print as 1000.
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, kUnits[unit]);
}

}  // namespace flashmoe
