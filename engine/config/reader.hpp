#pragma once

#include "engine/config/fields.hpp"
#include "engine/config/tree.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::config {

/// Reads a section that was checked. What is not written, or was complained about, answers the table's
/// default.
class reader {
public:
  reader(const node* n, std::string section) : n_{n}, section_{std::move(section)} {}

  [[nodiscard]] reader in(std::string_view name) const;
  /// The value as it was written; nothing where it was not.
  [[nodiscard]] const node* find(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }

  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] unsigned count(std::string_view name) const;
  [[nodiscard]] std::chrono::milliseconds duration(std::string_view name) const;
  [[nodiscard]] std::uint64_t size(std::string_view name) const;
  [[nodiscard]] double ratio(std::string_view name) const;
  [[nodiscard]] bool boolean(std::string_view name) const;
  /// A scalar as a list of one.
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;
  /// In the order they were written.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> pairs(std::string_view name) const;

private:
  const node* n_;
  std::string section_;
};

} // namespace troupe::config
