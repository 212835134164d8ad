#include "text/jinja/args.h"

#include <fmt/format.h>

#include <algorithm>

namespace flashmoe::jinja {

Result<Bound> Bound::Bind(std::string_view callee, const Args& args,
                          std::initializer_list<std::string_view> parameters, size_t required) {
  Bound bound;
  bound.callee_ = callee;
  bound.values_.resize(parameters.size());
  if (args.positional.size() > parameters.size()) {
    return InvalidInput(fmt::format("{}() takes at most {} arguments, {} given", callee,
                                    parameters.size(), args.positional.size()));
  }
  std::copy(args.positional.begin(), args.positional.end(), bound.values_.begin());
  for (const auto& [name, value] : args.named) {
    const auto found = std::find(parameters.begin(), parameters.end(), name);
    if (found == parameters.end()) {
      return InvalidInput(
          fmt::format("{}() got an unexpected keyword argument '{}'", callee, name));
    }
    auto& slot = bound.values_[static_cast<size_t>(found - parameters.begin())];
    if (slot) {
      return InvalidInput(fmt::format("{}() got two values for argument '{}'", callee, name));
    }
    slot = value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!bound.values_[i]) {
      return InvalidInput(
          fmt::format("{}() needs the argument '{}'", callee, *(parameters.begin() + i)));
    }
  }
  return bound;
}

Result<int64_t> Bound::Int(size_t i, int64_t fallback) const {
  if (!Has(i)) return fallback;
  if (const auto value = values_[i]->AsInt()) return *value;
  return InvalidInput(fmt::format("{}(): '{}' is not an integer", callee_, values_[i]->TypeName()));
}

Result<std::string_view> Bound::Str(size_t i, std::string_view fallback) const {
  if (!Has(i)) return fallback;
  if (values_[i]->IsText()) return values_[i]->str();
  return InvalidInput(
      fmt::format("{}() needs a string, not '{}'", callee_, values_[i]->TypeName()));
}

}  // namespace flashmoe::jinja
