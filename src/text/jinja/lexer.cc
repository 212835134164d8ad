#include "text/jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/characters.h"
#include "text/utf8.h"

namespace flashmoe::jinja {
namespace {

// Line ends become "\n"; one at the very end is dropped.
std::string Normalized(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      if (i + 1 < source.size() && source[i + 1] == '\n') continue;
      out.push_back('\n');
    } else {
      out.push_back(source[i]);
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

bool IsDecimal(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDecimal(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  Result<std::vector<Token>> Run() {
    while (pos_ < source_.size()) {
      FM_RETURN_IF_ERROR(TextAndTag());
    }
    Add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  std::string_view Rest() const { return std::string_view(source_).substr(pos_); }
  bool At(std::string_view text) const { return Rest().starts_with(text); }
  char Peek(size_t ahead = 0) const {
    return pos_ + ahead < source_.size() ? source_[pos_ + ahead] : '\0';
  }

  void Advance(size_t bytes) {
    const std::string_view passed = Rest().substr(0, bytes);
    line_ += static_cast<int>(std::count(passed.begin(), passed.end(), '\n'));
    pos_ += passed.size();
  }

  void SkipSpace() {
    const std::string_view rest = Rest();
    Advance(rest.size() - StripLeft(rest).size());
  }

  void Add(TokenKind kind, std::string_view text) {
    tokens_.push_back({kind, std::string(text), line_});
  }

  std::unexpected<Error> Bad(std::string what) const {
    return InvalidInput(std::move(what), Where(line_));
  }

  // Emits the text before a tag, stripped as the tag's sign says.
  void AddText(std::string_view text, char sign, bool is_variable) {
    if (sign == '-') {
      text = StripRight(text);
    } else if (sign != '+' && !is_variable) {
      const size_t line_start = text.rfind('\n') + 1;  // 0 if there is none
      if ((line_start > 0 || at_line_start_) && StripLeft(text.substr(line_start)).empty()) {
        text = text.substr(0, line_start);
      }
    }
    if (!text.empty()) Add(TokenKind::kData, text);
  }

  // Where the next "{{", "{%" or "{#" is, from `from` on.
  size_t FindTag(size_t from) const {
    while (true) {
      const size_t brace = source_.find('{', from);
      if (brace == std::string::npos || brace + 1 >= source_.size()) return source_.size();
      const char second = source_[brace + 1];
      if (second == '{' || second == '%' || second == '#') return brace;
      from = brace + 1;
    }
  }

  Status TextAndTag() {
    const size_t tag = FindTag(pos_);
    const std::string_view text = std::string_view(source_).substr(pos_, tag - pos_);
    if (tag == source_.size()) {
      if (!text.empty()) Add(TokenKind::kData, text);
      Advance(text.size());
      return {};
    }
    const char type = source_[tag + 1];
    const char after = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    const char sign = after == '-' || after == '+' ? after : '\0';
    AddText(text, sign, type == '{');
    Advance(text.size());
    const int line = line_;
    Advance(sign != '\0' ? 3 : 2);
    if (type == '#') return Comment(line);
    if (type == '%' && AtRaw()) return Raw(line);
    Add(type == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, "");
    return Tag(type == '{');
  }

  // The end of a tag whose last character before "}" is `last`; moves past it and what it strips.
  bool TakeEnd(char last) {
    const bool minus = Peek() == '-' && Peek(1) == last && Peek(2) == '}';
    const bool plus = last != '}' && Peek() == '+' && Peek(1) == last && Peek(2) == '}';
    if (!minus && !plus && !(Peek() == last && Peek(1) == '}')) return false;
    Advance(minus || plus ? 3 : 2);
    if (minus) {
      SkipSpace();
    } else if (!plus && last != '}' && Peek() == '\n') {
      Advance(1);  // trim_blocks
    }
    at_line_start_ = source_[pos_ - 1] == '\n';
    return true;
  }

  Status Comment(int line) {
    while (pos_ < source_.size()) {
      if (TakeEnd('#')) return {};
      Advance(1);
    }
    return InvalidInput("a comment lacks its end", Where(line), "close it with #}");
  }

  // Whether "raw %}" follows, with any signs.
  bool AtRaw() const {
    std::string_view rest = StripLeft(Rest());
    if (!rest.starts_with("raw")) return false;
    rest = StripLeft(rest.substr(3));
    return rest.starts_with("%}") || rest.starts_with("-%}");
  }

  Status Raw(int line) {
    SkipSpace();
    Advance(3);
    SkipSpace();
    const bool strip = Peek() == '-';
    Advance(strip ? 3 : 2);
    if (strip) SkipSpace();
    at_line_start_ = source_[pos_ - 1] == '\n';
    for (size_t at = source_.find("{%", pos_); at != std::string::npos;
         at = source_.find("{%", at + 2)) {
      std::string_view rest = std::string_view(source_).substr(at + 2);
      const char sign = rest.starts_with('-') || rest.starts_with('+') ? rest[0] : '\0';
      if (sign != '\0') rest = rest.substr(1);
      rest = StripLeft(rest);
      if (!rest.starts_with("endraw")) continue;
      rest = StripLeft(rest.substr(6));
      if (!rest.starts_with("%}") && !rest.starts_with("-%}") && !rest.starts_with("+%}")) continue;
      const std::string_view text = std::string_view(source_).substr(pos_, at - pos_);
      AddText(text, sign, false);
      Advance(source_.size() - rest.size() - pos_);
      TakeEnd('%');
      return {};
    }
    return InvalidInput("a raw block lacks its end", Where(line), "close it with {% endraw %}");
  }

  Status Tag(bool is_variable) {
    std::string brackets;
    while (pos_ < source_.size()) {
      SkipSpace();
      if (brackets.empty()) {
        const int line = line_;
        if (TakeEnd(is_variable ? '}' : '%')) {
          tokens_.push_back(
              {is_variable ? TokenKind::kVariableEnd : TokenKind::kBlockEnd, "", line});
          return {};
        }
      }
      if (pos_ < source_.size()) FM_RETURN_IF_ERROR(OneToken(brackets));
    }
    return Bad(is_variable ? "a {{ lacks its }}" : "a {% lacks its %}");
  }

  Status OneToken(std::string& brackets) {
    const char c = Peek();
    if (IsNameStart(c)) return NameToken();
    if (IsDecimal(c)) return Number();
    if (c == '"' || c == '\'') return String(c);
    return Operator(brackets);
  }

  Status NameToken() {
    size_t length = 0;
    while (IsNameStart(Peek(length)) || IsDecimal(Peek(length))) ++length;
    Add(TokenKind::kName, Rest().substr(0, length));
    Advance(length);
    return {};
  }

  // Digits that may have single underscores between them.
  size_t Digits(size_t at, bool (*is_digit)(char)) const {
    size_t length = 0;
    while (is_digit(Peek(at + length)) ||
           (length > 0 && Peek(at + length) == '_' && is_digit(Peek(at + length + 1)))) {
      ++length;
    }
    return length;
  }

  Status Number() {
    const char kind = Peek() == '0' ? static_cast<char>(Peek(1) | 0x20) : '\0';
    if (kind == 'x' || kind == 'o' || kind == 'b') {
      const size_t prefix = Peek(2) == '_' ? 3 : 2;
      const size_t digits = Digits(prefix, IsHex);
      if (digits > 0) return AddNumber(TokenKind::kInteger, prefix + digits);
    }
    size_t length = Digits(0, IsDecimal);
    bool is_float = false;
    // In "list.1.0" the numbers are indices.
    const bool is_index = pos_ > 0 && source_[pos_ - 1] == '.';
    if (!is_index && Peek(length) == '.' && IsDecimal(Peek(length + 1))) {
      is_float = true;
      length += 1 + Digits(length + 1, IsDecimal);
    }
    if (!is_index && (Peek(length) == 'e' || Peek(length) == 'E')) {
      const size_t sign = Peek(length + 1) == '+' || Peek(length + 1) == '-' ? 1 : 0;
      const size_t digits = Digits(length + 1 + sign, IsDecimal);
      if (digits > 0) {
        is_float = true;
        length += 1 + sign + digits;
      }
    }
    const bool leading_zero =
        Peek() == '0' && Rest().substr(0, length).find_first_not_of("0_") != std::string_view::npos;
    if (!is_float && leading_zero) return Bad("a number begins with 0");
    return AddNumber(is_float ? TokenKind::kFloat : TokenKind::kInteger, length);
  }

  Status AddNumber(TokenKind kind, size_t length) {
    std::string digits(Rest().substr(0, length));
    std::erase(digits, '_');
    Add(kind, digits);
    Advance(length);
    return {};
  }

  Status String(char quote) {
    const size_t begin = pos_ + 1;
    size_t end = begin;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) return Bad("a string lacks its closing quote");
    FM_ASSIGN_OR_RETURN(const std::string value,
                        Unescaped(std::string_view(source_).substr(begin, end - begin)));
    Add(TokenKind::kString, value);
    Advance(end + 1 - pos_);
    return {};
  }

  Result<std::string> Unescaped(std::string_view raw) const {
    std::string out;
    for (size_t i = 0; i < raw.size();) {
      if (raw[i] != '\\') {
        out.push_back(raw[i++]);
        continue;
      }
      ++i;
      FM_RETURN_IF_ERROR(Escape(raw, i, out));
    }
    return out;
  }

  // Decodes the escape whose letter is at `i`, as Python does, and moves past it.
  Status Escape(std::string_view raw, size_t& i, std::string& out) const {
    static constexpr std::string_view kLetters = "abfnrtv\\'\"";
    static constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\'\"";
    const char letter = raw[i++];
    const size_t simple = kLetters.find(letter);
    if (simple != std::string_view::npos) {
      out.push_back(kValues[simple]);
    } else if (letter == '\n') {
      return {};  // a continued line
    } else if (letter >= '0' && letter <= '7') {
      char32_t point = static_cast<char32_t>(letter - '0');
      for (int more = 0; more < 2 && i < raw.size() && raw[i] >= '0' && raw[i] <= '7'; ++more) {
        point = point * 8 + static_cast<char32_t>(raw[i++] - '0');
      }
      AppendUtf8(point, out);
    } else if (letter == 'x' || letter == 'u' || letter == 'U') {
      return HexEscape(raw, i, letter == 'x' ? 2 : letter == 'u' ? 4 : 8, out);
    } else if (letter == 'N') {
      return Bad("characters by name (\\N{...}) are not supported");
    } else {
      out.push_back('\\');
      out.push_back(letter);
    }
    return {};
  }

  Status HexEscape(std::string_view raw, size_t& i, size_t digits, std::string& out) const {
    char32_t point = 0;
    for (size_t k = 0; k < digits; ++k, ++i) {
      if (i >= raw.size() || !IsHex(raw[i])) return Bad("a string has a truncated escape");
      const char c = static_cast<char>(raw[i] | 0x20);
      point = point * 16 + static_cast<char32_t>(c >= 'a' ? c - 'a' + 10 : c & 0xF);
    }
    if (point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
      return Bad("a string escapes to half a character");
    }
    AppendUtf8(point, out);
    return {};
  }

  Status Operator(std::string& brackets) {
    static constexpr std::string_view kOperators[] = {
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
        "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    for (const std::string_view op : kOperators) {
      if (!At(op)) continue;
      if (op == "(" || op == "[" || op == "{") {
        brackets.push_back(op == "(" ? ')' : op == "[" ? ']' : '}');
      } else if (op == ")" || op == "]" || op == "}") {
        if (brackets.empty() || brackets.back() != op[0]) {
          return Bad(fmt::format("unexpected '{}'", op));
        }
        brackets.pop_back();
      }
      Add(TokenKind::kOperator, op);
      Advance(op.size());
      return {};
    }
    return Bad(
        fmt::format("unexpected character {}", Peek() > ' ' ? std::string(1, Peek()) : "in a tag"));
  }

  std::string source_;
  size_t pos_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;  // what precedes pos_ is the beginning or a line end
  std::vector<Token> tokens_;
};

}  // namespace

std::string Where(int line) { return fmt::format("chat_template:{}", line); }

Result<std::vector<Token>> Tokenize(std::string_view source) {
  if (!IsValidUtf8(source)) {
    return InvalidInput("the template is not valid UTF-8", "chat_template");
  }
  return Lexer(Normalized(source)).Run();
}

}  // namespace flashmoe::jinja
