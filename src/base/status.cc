#include "base/status.h"

namespace flashmoe {

std::string Error::ToString() const {
  std::string text = what;
  if (!where.empty()) text += " (" + where + ")";
  if (!hint.empty()) text += ": " + hint;
  return text;
}

}  // namespace flashmoe
