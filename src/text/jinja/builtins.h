// Jinja2's built-in filters, tests and global functions.
#pragma once

#include "text/jinja/args.h"
#include "text/jinja/value.h"

namespace flashmoe::jinja {

using Filter = Result<Value> (*)(Budget& budget, const Value& value, const Args& args);
using Test = Result<bool> (*)(Budget& budget, const Value& value, const Args& args);

// Null if there is none of that name.
Filter FindFilter(std::string_view name);
Test FindTest(std::string_view name);
// Tables behind FindFilter, one per file.
Filter FindTextFilter(std::string_view name);
Filter FindNumberFilter(std::string_view name);
Filter FindSequenceFilter(std::string_view name);
Filter FindSelectFilter(std::string_view name);

// range, dict, raise_exception, strftime_now; nothing for other names. (`namespace` belongs to the
// interpreter, which must know every one made.)
std::optional<Value> FindGlobal(std::string_view name);

// Namespaces are the one mutable kind, so they alone can form cycles: whoever runs a template keeps
// those made and empties them at the end.
class Namespace final : public Object {
 public:
  explicit Namespace(Budget& budget) { members_.charge = Charge(&budget); }
  std::string_view TypeName() const override { return "Namespace"; }
  Status Describe(TextBuilder& out) const override;
  bool Callable() const override { return false; }
  Result<std::optional<Value>> Attribute(Budget& budget, std::string_view name) override;
  const Dict* Members() const override { return &members_; }
  Status Set(Budget& budget, std::string_view name, Value value);
  void Clear();

 private:
  Status DescribeMembers(TextBuilder& out) const;
  Dict members_;
  mutable bool printing_ = false;
};
Result<std::shared_ptr<Namespace>> MakeNamespace(Budget& budget, const Args& args);

// The items that a dict() or namespace() call gives: pairs or a mapping, then the named ones.
Result<DictPtr> MakeDict(Budget& budget, const Args& args);

}  // namespace flashmoe::jinja
