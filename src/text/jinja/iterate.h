// Walking any iterable value.
#pragma once

#include <optional>

#include "text/jinja/value.h"

namespace flashmoe::jinja {

// Sees what a list loses while it is walked; consumes generators.
class Iterator {
 public:
  // Fails if the value is not iterable. Undefined is, and empty.
  static Result<Iterator> Over(Budget& budget, Value value);
  Result<std::optional<Value>> Next();
  // How many are left, if that can be known without walking.
  std::optional<int64_t> Remaining() const;

 private:
  Iterator(Budget& budget, Value value) : budget_(&budget), value_(std::move(value)) {}
  Budget* budget_;
  Value value_;
  size_t position_ = 0;  // an item, entry or byte
};

// All items at once.
Result<std::vector<Value>> Collect(Budget& budget, const Value& value);
bool IsIterable(const Value& value);
// len(); nothing for values that have none.
std::optional<int64_t> Length(const Value& value);

}  // namespace flashmoe::jinja
