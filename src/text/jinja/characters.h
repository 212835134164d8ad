// Strings as Python sees them: sequences of code points with Unicode properties. All bytes here are
// valid UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace flashmoe::jinja {

int64_t CountPoints(std::string_view bytes);
// Reads the code point at `pos` and moves past it. REQUIRES: pos < bytes.size().
char32_t NextPoint(std::string_view bytes, size_t& pos);
// Where code point `index` begins; bytes.size() if there are fewer.
size_t ByteOffset(std::string_view bytes, int64_t index);
// The first place of `needle` at or after `from`, or npos. Linear.
size_t FindBytes(std::string_view bytes, std::string_view needle, size_t from = 0);

bool IsSpace(char32_t point);
bool IsLineBreak(char32_t point);
bool IsAlpha(char32_t point);
bool IsDigit(char32_t point);  // category Nd
bool IsNumeric(char32_t point);
bool IsUpper(char32_t point);
bool IsLower(char32_t point);
bool IsPrintable(char32_t point);

void AppendUpper(std::string& out, char32_t point);
void AppendLower(std::string& out, char32_t point);
void AppendTitle(std::string& out, char32_t point);
std::string ToUpper(std::string_view bytes);
std::string ToLower(std::string_view bytes);
// First character in title case, the rest in lower case.
std::string Capitalize(std::string_view bytes);

// Without leading / trailing white space.
std::string_view StripLeft(std::string_view bytes);
std::string_view StripRight(std::string_view bytes);

}  // namespace flashmoe::jinja
