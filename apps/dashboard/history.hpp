#pragma once

#include "engine/core/result.hpp"
#include "engine/redis/client.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

namespace troupe::dashboard {

/// How far back a chart goes.
enum class window { quarter_of_an_hour, day };

/// What came of events over time, of one actor or (an empty name) of all: ok, err, retry and dlq per step,
/// and for the last quarter of an hour how long calls took. null where no process was there to tell. One
/// pipeline; waits for Redis.
result<nlohmann::json> read_history(redis::client& from, const std::string& app, const std::string& actor,
                                    window over, std::int64_t now_ms);

} // namespace troupe::dashboard
