// Global functions and namespaces.
#include <fmt/format.h>
#include <time.h>

#include "text/jinja/builtins.h"
#include "text/jinja/characters.h"
#include "text/jinja/iterate.h"
#include "text/jinja/repr.h"
#include "text/utf8.h"

namespace flashmoe::jinja {
namespace {

// As many items as the reference's sandbox lets a range have.
constexpr uint64_t kMaxRange = 100'000;

using Function = Result<Value> (*)(Budget& budget, const Args& args);

class GlobalFunction final : public Object {
 public:
  GlobalFunction(std::string_view name, Function function) : name_(name), function_(function) {}
  std::string_view TypeName() const override { return "function"; }
  Status Describe(TextBuilder& out) const override {
    return out.Append(fmt::format("<function {}>", name_));
  }
  Result<std::optional<Value>> Attribute(Budget&, std::string_view) override {
    return std::nullopt;
  }
  Result<Value> Call(Budget& budget, const Args& args) override { return function_(budget, args); }

 private:
  std::string_view name_;
  Function function_;
};

Result<Value> Range(Budget& budget, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("range", args, {"start", "stop", "step"}, 1));
  FM_ASSIGN_OR_RETURN(int64_t start, bound.Int(0, 0));
  FM_ASSIGN_OR_RETURN(int64_t stop, bound.Int(1, start));
  if (!bound.Has(1)) start = 0;
  FM_ASSIGN_OR_RETURN(const int64_t step, bound.Int(2, 1));
  if (step == 0) return InvalidInput("range() arg 3 must not be zero");
  uint64_t count = 0;
  if (step > 0 ? start < stop : start > stop) {
    const auto low = static_cast<uint64_t>(step > 0 ? start : stop);
    const auto high = static_cast<uint64_t>(step > 0 ? stop : start);
    const uint64_t stride =
        step > 0 ? static_cast<uint64_t>(step) : ~static_cast<uint64_t>(step) + 1;
    count = (high - low - 1) / stride + 1;
  }
  if (count > kMaxRange) {
    return InvalidInput(
        fmt::format("Range too big. The sandbox blocks ranges larger than {}.", kMaxRange));
  }
  ListBuilder out(budget, ListKind::kRange);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t item = static_cast<uint64_t>(start) + i * static_cast<uint64_t>(step);
    FM_RETURN_IF_ERROR(out.Push(Value::Int(static_cast<int64_t>(item))));
  }
  FM_ASSIGN_OR_RETURN(Value range, std::move(out).Finish());
  range.list()->start = start;
  range.list()->stop = stop;
  range.list()->step = step;
  return range;
}

Result<Value> DictFunction(Budget& budget, const Args& args) {
  FM_ASSIGN_OR_RETURN(DictPtr dict, MakeDict(budget, args));
  return Value(std::move(dict));
}

Result<Value> RaiseException(Budget& budget, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("raise_exception", args, {"message"}, 1));
  FM_ASSIGN_OR_RETURN(const TextPtr message, ToText(budget, bound[0]));
  const std::string_view text = message->bytes;
  return InvalidInput(std::string(text.substr(0, ByteOffset(text, 2000))));
}

Result<Value> FormatTimeNow(Budget& budget, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("strftime_now", args, {"format"}, 1));
  FM_ASSIGN_OR_RETURN(const std::string_view format, bound.Str(0, ""));
  if (format.size() > 1000) return InvalidInput("strftime_now: the format is too long");
  const time_t now = time(nullptr);
  tm local{};
  if (localtime_r(&now, &local) == nullptr) return InvalidInput("the time is unknown");
  char buffer[4096];
  const std::string terminated(format.substr(0, format.find('\0')));
  const size_t length = strftime(buffer, sizeof buffer, terminated.c_str(), &local);
  const std::string_view text(buffer, length);
  if (!IsValidUtf8(text)) return InvalidInput("strftime_now: the format gives no text");
  return MakeText(budget, text);
}

Status PutPairs(Budget& budget, DictBuilder& out, const Value& source) {
  if (source.IsDict()) {
    for (const auto& [key, value] : source.dict()->entries) {
      FM_RETURN_IF_ERROR(out.Put(key, value));
    }
    return {};
  }
  FM_ASSIGN_OR_RETURN(Iterator items, Iterator::Over(budget, source));
  while (true) {
    FM_ASSIGN_OR_RETURN(const std::optional<Value> item, items.Next());
    if (!item) return {};
    FM_ASSIGN_OR_RETURN(const std::vector<Value> pair, Collect(budget, *item));
    if (pair.size() != 2) return InvalidInput("a dict is made of pairs");
    FM_RETURN_IF_ERROR(out.Put(pair[0], pair[1]));
  }
}

}  // namespace

Result<DictPtr> MakeDict(Budget& budget, const Args& args) {
  if (args.positional.size() > 1) return InvalidInput("dict expected at most 1 argument");
  DictBuilder out(budget);
  if (!args.positional.empty()) FM_RETURN_IF_ERROR(PutPairs(budget, out, args.positional[0]));
  for (const auto& [name, value] : args.named) FM_RETURN_IF_ERROR(out.Put(name, value));
  FM_ASSIGN_OR_RETURN(const Value dict, std::move(out).Finish());
  return dict.dict();
}

Status Namespace::Describe(TextBuilder& out) const {
  if (printing_) return out.Append("<Namespace {...}>");  // a member holds this very object
  FM_ASSIGN_OR_RETURN(const Depth depth, Depth::Enter(out.budget()));
  printing_ = true;
  const Status status = DescribeMembers(out);
  printing_ = false;
  return status;
}

Status Namespace::DescribeMembers(TextBuilder& out) const {
  FM_RETURN_IF_ERROR(out.Append("<Namespace {"));
  for (size_t i = 0; i < members_.entries.size(); ++i) {
    if (i > 0) FM_RETURN_IF_ERROR(out.Append(", "));
    FM_RETURN_IF_ERROR(AppendRepr(out, members_.entries[i].first));
    FM_RETURN_IF_ERROR(out.Append(": "));
    FM_RETURN_IF_ERROR(AppendRepr(out, members_.entries[i].second));
  }
  return out.Append("}>");
}

Result<std::optional<Value>> Namespace::Attribute(Budget&, std::string_view name) {
  const Value* found = members_.Find(name);
  return found == nullptr ? std::nullopt : std::optional<Value>(*found);
}

Status Namespace::Set(Budget& budget, std::string_view name, Value value) {
  FM_ASSIGN_OR_RETURN(const Value key, MakeText(budget, name));
  return PutEntry(budget, members_, key, std::move(value));
}

void Namespace::Clear() {
  members_.entries.clear();
  members_.index.clear();
}

Result<std::shared_ptr<Namespace>> MakeNamespace(Budget& budget, const Args& args) {
  FM_ASSIGN_OR_RETURN(const DictPtr members, MakeDict(budget, args));
  auto made = std::make_shared<Namespace>(budget);
  for (const auto& [key, value] : members->entries) {
    FM_ASSIGN_OR_RETURN(const TextPtr name, ToText(budget, key));
    FM_RETURN_IF_ERROR(made->Set(budget, name->bytes, value));
  }
  return made;
}

std::optional<Value> FindGlobal(std::string_view name) {
  static constexpr std::pair<std::string_view, Function> kFunctions[] = {
      {"range", Range},
      {"dict", DictFunction},
      {"raise_exception", RaiseException},
      {"strftime_now", FormatTimeNow},
  };
  for (const auto& [function_name, function] : kFunctions) {
    if (function_name == name) {
      return Value(ObjectPtr(std::make_shared<GlobalFunction>(function_name, function)));
    }
  }
  return std::nullopt;
}

}  // namespace flashmoe::jinja
