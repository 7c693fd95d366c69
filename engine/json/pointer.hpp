#pragma once

#include "engine/core/result.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::json {

/// An RFC 6901 JSON pointer, split and unescaped once. The empty pointer is the whole document.
class pointer {
public:
  struct token {
    std::string key;
    std::optional<std::size_t> index; ///< where the key is also a valid array index
  };

  pointer() = default;
  /// errors: bad_config, naming what is wrong with the text.
  static result<pointer> parse(std::string_view text);

  [[nodiscard]] const std::vector<token>& tokens() const { return tokens_; }
  [[nodiscard]] const std::string& text() const { return text_; }

private:
  std::string text_;
  std::vector<token> tokens_;
};

} // namespace troupe::json
