#include "text/jinja/loop.h"

#include <fmt/format.h>

#include "text/jinja/compare.h"

namespace flashmoe::jinja {
namespace {

// loop.cycle or loop.changed as a value.
class LoopMethod final : public Object {
 public:
  LoopMethod(std::shared_ptr<LoopObject> loop, bool is_cycle)
      : loop_(std::move(loop)), is_cycle_(is_cycle) {}
  std::string_view TypeName() const override { return "method"; }
  Status Describe(TextBuilder& out) const override {
    return out.Append("<bound method of LoopContext>");
  }
  Result<std::optional<Value>> Attribute(Budget&, std::string_view) override {
    return std::nullopt;
  }
  Result<Value> Call(Budget& budget, const Args& args) override {
    return is_cycle_ ? loop_->Cycle(args) : loop_->Changed(budget, args);
  }

 private:
  std::shared_ptr<LoopObject> loop_;
  bool is_cycle_;
};

}  // namespace

Result<LoopItems> LoopItems::Over(Interpreter& interpreter, const For& node, int line,
                                  ScopePtr scope, Value iterable) {
  FM_ASSIGN_OR_RETURN(Iterator items, Iterator::Over(interpreter.budget(), std::move(iterable)));
  return LoopItems(interpreter, node, line, std::move(scope), std::move(items));
}

LoopItems::~LoopItems() {
  if (object_ != nullptr) object_->Detach();
}

Result<std::optional<Value>> LoopItems::Pull() {
  while (true) {
    FM_ASSIGN_OR_RETURN(std::optional<Value> item, items_.Next());
    if (!item || node_->condition == nullptr) return item;
    const auto inner = std::make_shared<Scope>(scope_);
    FM_RETURN_IF_ERROR(interpreter_->Assign(node_->target, *item, inner, line_));
    FM_ASSIGN_OR_RETURN(const Value keep, interpreter_->Evaluate(*node_->condition, inner));
    if (keep.Truthy()) return item;
  }
}

Result<bool> LoopItems::Advance() {
  FM_ASSIGN_OR_RETURN(std::optional<Value> next, Peek());
  if (!next) return false;
  ++ahead_begin_;
  if (ahead_begin_ == ahead_.size()) {
    ahead_.clear();
    ahead_begin_ = 0;
  }
  previous_ = std::exchange(current_, std::move(*next));
  ++index0_;
  return true;
}

Result<std::optional<Value>> LoopItems::Peek() {
  if (ahead_begin_ == ahead_.size()) {
    FM_ASSIGN_OR_RETURN(std::optional<Value> item, Pull());
    if (!item) return std::nullopt;
    ahead_.push_back(std::move(*item));
  }
  return ahead_[ahead_begin_];
}

Result<int64_t> LoopItems::Length() {
  if (length_) return *length_;
  const auto pulled = [&] {
    return index0_ + 1 + static_cast<int64_t>(ahead_.size() - ahead_begin_);
  };
  if (node_->condition == nullptr && items_.Remaining()) {
    length_ = pulled() + *items_.Remaining();
    return *length_;
  }
  while (true) {
    FM_ASSIGN_OR_RETURN(std::optional<Value> item, Pull());
    if (!item) break;
    FM_RETURN_IF_ERROR(charge_.Grow(sizeof(Value)));
    ahead_.push_back(std::move(*item));
  }
  length_ = pulled();
  return *length_;
}

Status LoopObject::Describe(TextBuilder& out) const {
  return out.Append(items_ == nullptr ? "<LoopContext>"
                                      : fmt::format("<LoopContext {}>", items_->index0() + 1));
}

Result<std::optional<Value>> LoopObject::Attribute(Budget& budget, std::string_view name) {
  if (items_ == nullptr) return std::nullopt;
  if (name == "cycle" || name == "changed") {
    return Value(ObjectPtr(std::make_shared<LoopMethod>(shared_from_this(), name == "cycle")));
  }
  if (name == "previtem" || name == "nextitem") return Neighbour(budget, name);
  return Position(name);
}

Result<std::optional<Value>> LoopObject::Neighbour(Budget& budget, std::string_view name) {
  if (name == "previtem") {
    if (items_->has_previous()) return items_->previous();
    return MakeUndefined(budget, "there is no previous item");
  }
  FM_ASSIGN_OR_RETURN(std::optional<Value> next, items_->Peek());
  if (next) return next;
  return MakeUndefined(budget, "there is no next item");
}

Result<std::optional<Value>> LoopObject::Position(std::string_view name) {
  const int64_t index0 = items_->index0();
  if (name == "index") return Value::Int(index0 + 1);
  if (name == "index0") return Value::Int(index0);
  if (name == "first") return Value::Bool(index0 == 0);
  if (name == "depth") return Value::Int(1);
  if (name == "depth0") return Value::Int(0);
  if (name == "last") {
    FM_ASSIGN_OR_RETURN(const std::optional<Value> next, items_->Peek());
    return Value::Bool(!next);
  }
  if (name != "length" && name != "revindex" && name != "revindex0") return std::nullopt;
  FM_ASSIGN_OR_RETURN(const int64_t length, items_->Length());
  if (name == "length") return Value::Int(length);
  return Value::Int(length - index0 - (name == "revindex0" ? 1 : 0));
}

Result<Value> LoopObject::Call(Budget&, const Args&) {
  return InvalidInput("The loop must have the 'recursive' marker to be called recursively.");
}

Result<Value> LoopObject::Cycle(const Args& args) const {
  if (items_ == nullptr) return InvalidInput("the loop has ended");
  if (args.positional.empty() || !args.named.empty()) {
    return InvalidInput("no items for cycling given");
  }
  const auto index = static_cast<size_t>(items_->index0());
  return args.positional[index % args.positional.size()];
}

Result<Value> LoopObject::Changed(Budget& budget, const Args& args) {
  FM_ASSIGN_OR_RETURN(Value now, MakeList(budget, ListKind::kTuple, args.positional));
  bool same = false;
  if (last_changed_) {
    FM_ASSIGN_OR_RETURN(same, Equal(budget, *last_changed_, now));
  }
  last_changed_ = std::move(now);
  return Value::Bool(!same);
}

}  // namespace flashmoe::jinja
