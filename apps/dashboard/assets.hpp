#pragma once

#include "engine/http/server.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace troupe::dashboard {

/// A file of apps/dashboard/assets, in the program since it was built.
struct asset {
  std::string_view name; ///< below assets/
  std::string_view plain, zipped;
};
std::span<const asset> assets();

/// The page or the file that is asked for by GET; nothing where there is none of this path.
std::optional<http::response> asset_answer(const http::request& asked);

} // namespace troupe::dashboard
