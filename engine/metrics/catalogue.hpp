#pragma once

#include <span>
#include <string_view>

namespace troupe::metrics {

enum class metric_type { counter, gauge, histogram };

struct catalogue_entry {
  std::string_view name;
  metric_type type;
  std::string_view help;
};

/// Every metric there is. Labels never hold a path, a user, a key or an offset.
std::span<const catalogue_entry> catalogue();

/// nullptr if no such name is in it.
const catalogue_entry* find_in_catalogue(std::string_view name);

} // namespace troupe::metrics
