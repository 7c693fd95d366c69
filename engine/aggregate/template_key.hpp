#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::aggregate {

/// A Redis key with a placeholder; all other braces stand for themselves.
class template_key {
public:
  template_key(std::string_view text, std::string_view placeholder);

  [[nodiscard]] bool has_placeholder() const { return pieces_.size() > 1; }
  [[nodiscard]] std::string with(std::string_view value) const;
  /// The value that makes this key; nothing where none does.
  [[nodiscard]] std::optional<std::string_view> value_in(std::string_view key) const;
  /// A glob for SCAN that finds every key of this template; `value` is the glob of the value.
  [[nodiscard]] std::string glob(std::string_view value) const;

private:
  std::vector<std::string> pieces_; ///< what stands around the placeholders
};

} // namespace troupe::aggregate
