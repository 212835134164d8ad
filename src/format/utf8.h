// What names and strings from model files go through before anyone prints or dumps them.
#pragma once

#include <string>
#include <string_view>

namespace flashmoe {

// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view text);

// `text` with U+FFFD for each byte that is not part of a well-formed character.
std::string ReplaceInvalidUtf8(std::string_view text);

// For error messages: in double quotes, control characters and invalid bytes as \xNN (a name from
// a file must not steer a terminal), shortened when long.
std::string Quoted(std::string_view text);

}  // namespace flashmoe
