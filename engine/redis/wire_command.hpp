#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::redis {

/// A command as Redis reads it, made word by word: for those of many thousand words, which would be as many
/// strings otherwise. The number of words is said first, as the protocol wants it.
class wire_command {
public:
  explicit wire_command(std::size_t words) : left_{words} { add_size('*', words); }

  void add(std::string_view word) {
    add_size('$', word.size());
    text_.append(word).append("\r\n");
    --left_;
  }
  void add(std::int64_t number) {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    add(std::string_view{digits.data(), end});
  }

  /// Whether it has all the words that were said.
  [[nodiscard]] bool whole() const { return left_ == 0; }
  [[nodiscard]] std::string take() && { return std::move(text_); }

private:
  void add_size(char kind, std::size_t size) {
    std::array<char, 24> line;
    line[0] = kind;
    auto* end = std::to_chars(line.data() + 1, line.data() + 21, size).ptr;
    *end++ = '\r';
    *end++ = '\n';
    text_.append(line.data(), end);
  }

  std::string text_;
  std::size_t left_;
};

} // namespace troupe::redis
