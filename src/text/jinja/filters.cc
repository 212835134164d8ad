#include "text/jinja/builtins.h"

namespace flashmoe::jinja {

Filter FindFilter(std::string_view name) {
  for (const auto find : {FindTextFilter, FindNumberFilter, FindSequenceFilter, FindSelectFilter}) {
    if (const Filter filter = find(name)) return filter;
  }
  return nullptr;
}

}  // namespace flashmoe::jinja
