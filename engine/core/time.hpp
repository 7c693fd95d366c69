#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace troupe {

/// Policies are handed the time, they never read it.
using steady_time = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

/// RFC 3339 in UTC with milliseconds: 2026-01-31T23:59:00.125Z.
std::string rfc3339(std::int64_t epoch_ms);

/// Milliseconds since the epoch by the wall clock.
std::int64_t wall_ms();

} // namespace troupe
