// Unicode normalisation form C, as the reference does it.
//
// Hugging Face tokenizers normalises by the data of Unicode 9: combining marks that came later keep
// their place, and compositions that came later (of U+11935, say) do not happen. Tokens depend on
// that, so it is reproduced here; for all older characters this is NFC of any version.
#pragma once

#include <string>
#include <string_view>

namespace flashmoe {

// True if `text` is its own normal form for certain; false means that it may not be.
// REQUIRES: valid UTF-8.
bool IsPlainNfc(std::string_view text);

// Linear in the text but for the sorting of combining marks, which is n log n.
// REQUIRES: valid UTF-8.
std::string ToNfc(std::string_view text);

}  // namespace flashmoe
