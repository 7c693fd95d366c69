#pragma once

#include "engine/core/result.hpp"
#include "engine/http/client.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What the client writes before a body, and reads from an answer's head.
namespace troupe::http {

/// The request line and the headers. errc::usage names a header or target that cannot be sent as it
/// is (a line feed in a value would smuggle in a header). What frames the message is ours: Host,
/// Content-Length, Connection, Transfer-Encoding and Expect of the call are left out.
result<std::string> request_head(const call& c);

/// Retry-After as seconds or as an IMF-fixdate, relative to `now_ms`; at most a year, never negative.
std::optional<milliseconds> parse_retry_after(std::string_view value, std::int64_t now_ms);

} // namespace troupe::http
