// Macros, calls and the namespace() function.
#include <fmt/format.h>

#include "text/jinja/interpreter.h"
#include "text/jinja/operators.h"

namespace flashmoe::jinja {
namespace {

// What keeping a scope or namespace until the end of the rendering costs, roughly.
constexpr uint64_t kTrackedBytes = 256;

class Macro final : public Object {
 public:
  Macro(Interpreter& interpreter, std::shared_ptr<const MacroSpec> spec, ScopePtr scope)
      : interpreter_(interpreter), spec_(std::move(spec)), scope_(std::move(scope)) {}
  std::string_view TypeName() const override { return "Macro"; }
  Status Describe(TextBuilder& out) const override {
    return out.Append(fmt::format("<Macro '{}'>", spec_->name));
  }
  Result<std::optional<Value>> Attribute(Budget& budget, std::string_view name) override {
    if (name == "name") return MakeText(budget, spec_->name);
    if (name == "catch_kwargs") return Value::Bool(spec_->uses_kwargs);
    if (name == "catch_varargs") return Value::Bool(spec_->uses_varargs);
    if (name == "caller") return Value::Bool(spec_->uses_caller);
    if (name != "arguments") return std::nullopt;
    ListBuilder names(budget, ListKind::kTuple);
    for (const std::string& parameter : spec_->parameters) {
      FM_RETURN_IF_ERROR(names.PushText(parameter));
    }
    return std::move(names).Finish();
  }
  Result<Value> Call(Budget&, const Args& args) override {
    return interpreter_.CallMacro(*spec_, scope_, args);
  }

 private:
  Interpreter& interpreter_;
  std::shared_ptr<const MacroSpec> spec_;
  ScopePtr scope_;
};

}  // namespace

// namespace(), which keeps what it makes where the interpreter can empty it.
class NamespaceMaker final : public Object {
 public:
  explicit NamespaceMaker(Interpreter& interpreter) : interpreter_(interpreter) {}
  std::string_view TypeName() const override { return "type"; }
  Status Describe(TextBuilder& out) const override {
    return out.Append("<class 'jinja2.utils.Namespace'>");
  }
  Result<std::optional<Value>> Attribute(Budget&, std::string_view) override {
    return std::nullopt;
  }
  Result<Value> Call(Budget&, const Args& args) override {
    return interpreter_.MakeTrackedNamespace(args);
  }

 private:
  Interpreter& interpreter_;
};

Value Interpreter::NamespaceFunction() {
  return Value(ObjectPtr(std::make_shared<NamespaceMaker>(*this)));
}

Result<Value> Interpreter::MakeTrackedNamespace(const Args& args) {
  FM_RETURN_IF_ERROR(tracked_.Grow(kTrackedBytes));
  FM_ASSIGN_OR_RETURN(auto made, MakeNamespace(budget_, args));
  namespaces_.push_back(made);
  return Value(ObjectPtr(std::move(made)));
}

Result<Value> Interpreter::MakeMacro(const std::shared_ptr<const MacroSpec>& spec,
                                     const ScopePtr& scope) {
  if (!scope->captured) {
    FM_RETURN_IF_ERROR(tracked_.Grow(kTrackedBytes));
    scope->captured = true;
    captured_.push_back(scope);
  }
  return Value(ObjectPtr(std::make_shared<Macro>(*this, spec, scope)));
}

Result<Value> Interpreter::CallValue(const Value& callee, const Args& args) {
  if (callee.IsUndefined()) return UndefinedError(callee);
  if (!callee.IsObject()) {
    return InvalidInput(fmt::format("'{}' object is not callable", callee.TypeName()));
  }
  // The callee may drop the last reference to itself.
  const ObjectPtr object = callee.object();
  return object->Call(budget_, args);
}

Status Interpreter::BindParameters(const MacroSpec& spec, const ScopePtr& inner, const Args& args) {
  auto& variables = inner->variables;
  std::unordered_map<std::string_view, const Value*> named;
  for (const auto& [name, value] : args.named) named[name] = &value;
  std::vector<size_t> missing;
  for (size_t i = 0; i < spec.parameters.size(); ++i) {
    const std::string& name = spec.parameters[i];
    if (i < args.positional.size()) {
      variables[name] = args.positional[i];
    } else if (const auto found = named.find(name); found != named.end()) {
      variables[name] = *found->second;
      named.erase(found);
    } else {
      FM_ASSIGN_OR_RETURN(
          variables[name],
          MakeUndefined(budget_, fmt::format("parameter '{}' was not provided", name)));
      missing.push_back(i);
    }
  }
  // A default sees the parameters that were given, and the defaults before it.
  const size_t without_default = spec.parameters.size() - spec.defaults.size();
  for (const size_t i : missing) {
    if (i < without_default) continue;
    FM_ASSIGN_OR_RETURN(Value fallback, Evaluate(*spec.defaults[i - without_default], inner));
    variables[spec.parameters[i]] = std::move(fallback);
  }
  return BindSurplus(spec, inner, args, named);
}

// Named arguments that no parameter took.
Status Interpreter::BindSurplus(const MacroSpec& spec, const ScopePtr& inner, const Args& args,
                                const std::unordered_map<std::string_view, const Value*>& left) {
  DictBuilder surplus(budget_);
  for (const auto& [name, value] : args.named) {
    if (!left.contains(name)) continue;
    if (name == "caller" && spec.uses_caller) {
      inner->variables["caller"] = value;
    } else if (spec.uses_kwargs) {
      FM_RETURN_IF_ERROR(surplus.Put(name, value));
    } else {
      return InvalidInput(
          fmt::format("macro '{}' takes no keyword argument '{}'", spec.name, name.substr(0, 100)));
    }
  }
  if (!spec.uses_kwargs) return {};
  FM_ASSIGN_OR_RETURN(inner->variables["kwargs"], std::move(surplus).Finish());
  return {};
}

Result<Value> Interpreter::CallMacro(const MacroSpec& spec, const ScopePtr& scope,
                                     const Args& args) {
  if (macro_depth_ >= limits_.macro_depth) {
    return Fail(ErrorCode::kOutOfMemory,
                fmt::format("macros call each other more than {} deep", limits_.macro_depth), "",
                "use another template");
  }
  const auto inner = std::make_shared<Scope>(scope);
  if (spec.uses_caller) {
    FM_ASSIGN_OR_RETURN(inner->variables["caller"], MakeUndefined(budget_, "No caller defined"));
  }
  if (args.positional.size() > spec.parameters.size() && !spec.uses_varargs) {
    return InvalidInput(fmt::format("macro '{}' takes not more than {} argument(s)", spec.name,
                                    spec.parameters.size()));
  }
  if (spec.uses_varargs) {
    const auto begin =
        args.positional.begin() +
        static_cast<ptrdiff_t>(std::min(args.positional.size(), spec.parameters.size()));
    FM_ASSIGN_OR_RETURN(inner->variables["varargs"],
                        MakeList(budget_, ListKind::kTuple, {begin, args.positional.end()}));
  }
  FM_RETURN_IF_ERROR(BindParameters(spec, inner, args));
  TextBuilder out(budget_);
  ++macro_depth_;
  const auto flow = Execute(spec.body, inner, out);
  --macro_depth_;
  FM_RETURN_IF_ERROR(flow);
  return std::move(out).Finish();
}

}  // namespace flashmoe::jinja
