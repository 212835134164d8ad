// The arguments of a call and how functions read them.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace flashmoe::jinja {

struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// Arguments matched to the parameters of a built-in function.
class Bound {
 public:
  // Fails on surplus, unknown, doubled, or missing ones of the first `required`.
  static Result<Bound> Bind(std::string_view callee, const Args& args,
                            std::initializer_list<std::string_view> parameters,
                            size_t required = 0);

  bool Has(size_t i) const { return values_[i].has_value(); }
  // Given, and not None.
  bool HasSome(size_t i) const { return Has(i) && !values_[i]->IsNone(); }
  const Value& operator[](size_t i) const { return *values_[i]; }  // REQUIRES: Has(i)
  Value Get(size_t i, Value fallback) const { return Has(i) ? *values_[i] : std::move(fallback); }
  bool Truthy(size_t i, bool fallback) const { return Has(i) ? values_[i]->Truthy() : fallback; }
  Result<int64_t> Int(size_t i, int64_t fallback) const;
  // Fails unless it is a string. The view lives as long as this object.
  Result<std::string_view> Str(size_t i, std::string_view fallback) const;

 private:
  std::string callee_;
  std::vector<std::optional<Value>> values_;
};

}  // namespace flashmoe::jinja
