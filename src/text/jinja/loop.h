// The items that a `for` walks, and the variable `loop`.
#pragma once

#include "text/jinja/interpreter.h"
#include "text/jinja/iterate.h"

namespace flashmoe::jinja {

class LoopObject;

// Pulls items one by one, so that a condition sees what the body did before. Looks ahead only if
// the body asks whether there is more.
class LoopItems {
 public:
  static Result<LoopItems> Over(Interpreter& interpreter, const For& node, int line, ScopePtr scope,
                                Value iterable);
  LoopItems(LoopItems&& other) noexcept = default;  // before a LoopObject is attached
  ~LoopItems();

  // Moves to the next item; false at the end.
  Result<bool> Advance();
  const Value& current() const { return current_; }
  int64_t index0() const { return index0_; }
  bool has_previous() const { return index0_ > 0; }
  const Value& previous() const { return previous_; }
  // The next item, if any.
  Result<std::optional<Value>> Peek();
  // How many there are in all; walks to the end if it must.
  Result<int64_t> Length();
  // Whoever still holds the object afterwards finds it detached.
  void Attach(std::shared_ptr<LoopObject> object) { object_ = std::move(object); }

 private:
  LoopItems(Interpreter& interpreter, const For& node, int line, ScopePtr scope, Iterator items)
      : interpreter_(&interpreter),
        node_(&node),
        line_(line),
        scope_(std::move(scope)),
        items_(std::move(items)),
        charge_(&interpreter.budget()) {}
  // The next item that meets the condition.
  Result<std::optional<Value>> Pull();

  Interpreter* interpreter_;
  const For* node_;
  int line_;
  ScopePtr scope_;  // around the loop
  Iterator items_;
  Charge charge_;
  std::vector<Value> ahead_;  // pulled but not reached yet, from ahead_begin_ on
  size_t ahead_begin_ = 0;
  Value current_;
  Value previous_;
  int64_t index0_ = -1;
  std::optional<int64_t> length_;
  std::shared_ptr<LoopObject> object_;
};

// May outlive its loop; it is empty then.
class LoopObject final : public Object, public std::enable_shared_from_this<LoopObject> {
 public:
  explicit LoopObject(LoopItems& items) : items_(&items) {}
  std::string_view TypeName() const override { return "LoopContext"; }
  Status Describe(TextBuilder& out) const override;
  Result<std::optional<Value>> Attribute(Budget& budget, std::string_view name) override;
  Result<Value> Call(Budget& budget, const Args& args) override;
  Result<Value> Cycle(const Args& args) const;
  Result<Value> Changed(Budget& budget, const Args& args);
  void Detach() { items_ = nullptr; }

 private:
  Result<std::optional<Value>> Position(std::string_view name);
  Result<std::optional<Value>> Neighbour(Budget& budget, std::string_view name);

  LoopItems* items_;
  std::optional<Value> last_changed_;
};

}  // namespace flashmoe::jinja
