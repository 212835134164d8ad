// The values of a template, with the behaviour of their Python counterparts. Strings, lists and
// dicts are shared and (but for two list methods that the reference's sandbox permits) immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"
#include "text/jinja/budget.h"

namespace flashmoe::jinja {

class Value;
class Object;
class TextBuilder;
struct Text;
struct List;
struct Dict;

using TextPtr = std::shared_ptr<const Text>;
using ListPtr = std::shared_ptr<List>;
using DictPtr = std::shared_ptr<const Dict>;
using ObjectPtr = std::shared_ptr<Object>;

// Containers nest at most so deep; what walks a value may therefore recurse.
inline constexpr int kMaxNesting = 200;

class Value {
 public:
  Value() = default;  // undefined, for a reason that nobody wrote down
  explicit Value(TextPtr text) : rep_(std::move(text)) {}
  explicit Value(ListPtr list) : rep_(std::move(list)) {}
  explicit Value(DictPtr dict) : rep_(std::move(dict)) {}
  explicit Value(ObjectPtr object) : rep_(std::move(object)) {}
  static Value None() { return Value(Rep(NoneRep{})); }
  static Value Bool(bool b) { return Value(Rep(b)); }
  static Value Int(int64_t i) { return Value(Rep(i)); }
  static Value Float(double d) { return Value(Rep(d)); }
  // `reason` is the text of the error that any use other than printing or testing raises.
  static Value Undefined(TextPtr reason) { return Value(Rep(UndefinedRep{std::move(reason)})); }

  bool IsUndefined() const { return Is<UndefinedRep>(); }
  bool IsNone() const { return Is<NoneRep>(); }
  bool IsBool() const { return Is<bool>(); }
  bool IsInt() const { return Is<int64_t>(); }
  bool IsFloat() const { return Is<double>(); }
  bool IsText() const { return Is<TextPtr>(); }
  bool IsList() const { return Is<ListPtr>(); }
  bool IsDict() const { return Is<DictPtr>(); }
  bool IsObject() const { return Is<ObjectPtr>(); }
  bool IsNumber() const { return IsBool() || IsInt() || IsFloat(); }

  // REQUIRES of each: the value is of that type.
  bool bool_value() const { return std::get<bool>(rep_); }
  double float_value() const { return std::get<double>(rep_); }
  const TextPtr& text() const { return std::get<TextPtr>(rep_); }
  const ListPtr& list() const { return std::get<ListPtr>(rep_); }
  const DictPtr& dict() const { return std::get<DictPtr>(rep_); }
  const ObjectPtr& object() const { return std::get<ObjectPtr>(rep_); }
  std::string_view str() const;
  const TextPtr& reason() const { return std::get<UndefinedRep>(rep_).reason; }

  // The integer of an int or a bool (which Python counts as one).
  std::optional<int64_t> AsInt() const;
  // The number of an int, a bool or a float.
  std::optional<double> AsDouble() const;

  bool Truthy() const;
  // As Python's type(x).__name__: "str", "NoneType", ...
  std::string_view TypeName() const;

 private:
  struct NoneRep {};
  struct UndefinedRep {
    TextPtr reason;
  };
  using Rep = std::variant<UndefinedRep, NoneRep, bool, int64_t, double, TextPtr, ListPtr, DictPtr,
                           ObjectPtr>;
  explicit Value(Rep rep) : rep_(std::move(rep)) {}
  template <typename T>
  bool Is() const {
    return std::holds_alternative<T>(rep_);
  }
  Rep rep_;
};

struct Text {
  std::string bytes;    // valid UTF-8
  int64_t points = 0;   // code points, which is what Python's len() counts
  bool markup = false;  // the result of `safe` or `escape`: what is added to it gets escaped
  Charge charge;
  bool ascii() const { return static_cast<size_t>(points) == bytes.size(); }
};

enum class ListKind : uint8_t {
  kList,
  kTuple,
  kGroup,      // groupby's tuple with the attributes `grouper` and `list`
  kGenerator,  // can be walked once: what most filters on sequences return
  kRange,
  kKeys,
  kValues,
  kItems,
};

struct List {
  ListKind kind = ListKind::kList;
  std::vector<Value> items;
  size_t consumed = 0;                    // kGenerator: the next item
  int64_t start = 0, stop = 0, step = 1;  // kRange
  int nesting = 1;
  Charge charge;
  bool is_tuple() const { return kind == ListKind::kTuple || kind == ListKind::kGroup; }
};

// Insertion-ordered.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  std::unordered_multimap<uint64_t, size_t> index;  // hash of the key -> entry
  int nesting = 1;
  Charge charge;
  // The value under a string key, or null.
  const Value* Find(std::string_view key) const;
};

// Values that act: namespaces, macros, functions, bound methods, `loop`.
struct Args;
class Object {
 public:
  virtual ~Object() = default;
  virtual std::string_view TypeName() const = 0;
  virtual Status Describe(TextBuilder& out) const = 0;  // repr()
  virtual Result<std::optional<Value>> Attribute(Budget& budget, std::string_view name) = 0;
  virtual bool Callable() const { return true; }
  virtual Result<Value> Call(Budget& budget, const Args& args);
  // What a namespace holds; null for all others.
  virtual const Dict* Members() const { return nullptr; }
};

// Makers. Each fails when the budget does.
Result<TextPtr> MakeTextPtr(Budget& budget, std::string bytes, bool markup = false);
Result<Value> MakeText(Budget& budget, std::string_view bytes, bool markup = false);
Result<Value> MakeUndefined(Budget& budget, std::string_view reason);
Result<Value> MakeList(Budget& budget, ListKind kind, std::vector<Value> items);
// Python's str(): the text itself for strings.
Result<TextPtr> ToText(Budget& budget, const Value& value);

// Grows a string; the budget is asked before the memory is.
class TextBuilder {
 public:
  explicit TextBuilder(Budget& budget) : budget_(&budget), charge_(&budget) {}
  Status Append(std::string_view bytes);
  Status Append(char c, uint64_t times);
  Status AppendPoint(char32_t point);
  size_t size() const { return bytes_.size(); }
  const std::string& bytes() const { return bytes_; }
  Budget& budget() { return *budget_; }
  Result<TextPtr> FinishPtr(bool markup = false) &&;
  Result<Value> Finish(bool markup = false) &&;
  std::string Release() && { return std::move(bytes_); }

 private:
  Budget* budget_;
  Charge charge_;
  std::string bytes_;
};

class ListBuilder {
 public:
  explicit ListBuilder(Budget& budget, ListKind kind = ListKind::kList)
      : budget_(&budget), charge_(&budget), kind_(kind) {}
  Status Push(Value value);
  // A new string.
  Status PushText(std::string_view text, bool markup = false);
  Result<Value> Finish() &&;
  size_t size() const { return items_.size(); }

 private:
  Budget* budget_;
  Charge charge_;
  ListKind kind_;
  std::vector<Value> items_;
};

class DictBuilder {
 public:
  explicit DictBuilder(Budget& budget);
  // Replaces the value of a key that is there. Fails on unhashable keys.
  Status Put(const Value& key, Value value);
  Status Put(std::string_view key, Value value);
  Result<Value> Finish() &&;

 private:
  Budget* budget_;
  std::shared_ptr<Dict> dict_;
};

// Adds or replaces an entry of a dict that only the caller can see, or a namespace's.
Status PutEntry(Budget& budget, Dict& dict, const Value& key, Value value);
int Nesting(const Value& value);

}  // namespace flashmoe::jinja
