#pragma once

#include "engine/config/model.hpp"
#include "engine/core/result.hpp"
#include "engine/redis/client.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace troupe::dashboard {

/// A page of an app's own: tiles, curves and tables that it makes from what its handlers keep in Redis.
struct panel {
  std::string name; ///< in the address: /panels/NAME
  /// Whether this config has what the panel shows.
  std::function<bool(const config::settings&)> applies;
  /// {"title", "tiles", "series", "tables"} as docs/dashboard.md describes them. Waits for Redis; called
  /// once per interval, however many look.
  std::function<result<nlohmann::json>(redis::client&, const config::settings&, std::int64_t now_ms)> read;
};

} // namespace troupe::dashboard
