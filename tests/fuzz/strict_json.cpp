#include "tests/fuzz/strict_json.hpp"

#include "engine/core/utf8.hpp"

namespace troupe::fuzz {
namespace {

class reader {
public:
  explicit reader(std::string_view text) : rest_{text} {}

  bool whole(std::size_t depth) {
    blanks();
    if (!value(depth)) return false;
    blanks();
    return rest_.empty();
  }

private:
  [[nodiscard]] char next() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  void blanks() {
    while (take(' ') || take('\t') || take('\r') || take('\n')) {
    }
  }

  bool value(std::size_t depth) {
    switch (next()) {
    case '{':
      return depth > 0 && members(depth - 1);
    case '[':
      return depth > 0 && elements(depth - 1);
    case '"':
      return string();
    case 't':
      return take("true");
    case 'f':
      return take("false");
    case 'n':
      return take("null");
    default:
      return number();
    }
  }

  bool members(std::size_t depth) {
    take('{');
    blanks();
    if (take('}')) return true;
    do {
      blanks();
      if (!string()) return false;
      blanks();
      if (!take(':')) return false;
      blanks();
      if (!value(depth)) return false;
      blanks();
    } while (take(','));
    return take('}');
  }

  bool elements(std::size_t depth) {
    take('[');
    blanks();
    if (take(']')) return true;
    do {
      blanks();
      if (!value(depth)) return false;
      blanks();
    } while (take(','));
    return take(']');
  }

  bool digits() {
    if (next() < '0' || next() > '9') return false;
    while (next() >= '0' && next() <= '9')
      rest_.remove_prefix(1);
    return true;
  }

  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (!take('e') && !take('E')) return true;
    if (!take('+')) take('-');
    return digits();
  }

  /// Four hexadecimal digits; above 0xFFFF where there are not.
  unsigned hex4() {
    unsigned n = 0;
    for (int i = 0; i < 4; ++i) {
      const auto at = std::string_view{"0123456789abcdef0123456789ABCDEF"}.find(next());
      if (rest_.empty() || at == std::string_view::npos) return 0x10000;
      n = n << 4 | static_cast<unsigned>(at % 16);
      rest_.remove_prefix(1);
    }
    return n;
  }

  bool escape() {
    if (!take('u')) {
      if (rest_.empty() || std::string_view{"\"\\/bfnrt"}.find(next()) == std::string_view::npos)
        return false;
      rest_.remove_prefix(1);
      return true;
    }
    const auto unit = hex4();
    if (unit >= 0x10000 || (unit >= 0xDC00 && unit <= 0xDFFF)) return false;
    if (unit < 0xD800 || unit > 0xDBFF) return true;
    if (!take("\\u")) return false;
    const auto low = hex4();
    return low >= 0xDC00 && low <= 0xDFFF;
  }

  bool string() {
    if (!take('"')) return false;
    while (!take('"')) {
      if (take('\\')) {
        if (!escape()) return false;
        continue;
      }
      const auto length = utf8_length(rest_);
      if (length == 0 || static_cast<unsigned char>(next()) < 0x20) return false;
      rest_.remove_prefix(length);
    }
    return true;
  }

  std::string_view rest_;
};

} // namespace

bool is_strict_json(std::string_view text, std::size_t depth) {
  return reader{text}.whole(depth);
}

} // namespace troupe::fuzz
