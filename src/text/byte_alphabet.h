// The alphabet in which byte-level BPE vocabularies are written: one printable character for each
// byte. Bytes that are printable in Latin-1 stand for themselves, the others for U+0100 and on in
// their order (a space is U+0120, a newline U+010A).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace flashmoe {

char32_t ByteToAlphabet(uint8_t byte);

// The bytes that `token` stands for, appended to `out`. Where a token has a character outside the
// alphabet, the whole token stands for itself, as in the reference. Returns false in that case.
bool AppendTokenBytes(std::string_view token, std::string& out);

}  // namespace flashmoe
