#pragma once

#include <nlohmann/json.hpp>

namespace troupe::dashboard {

/// What makes `after` of `before`, by RFC 7386: null takes a member away, a list is replaced as a whole. No
/// member of an object may be null. An empty object where both are equal.
nlohmann::json merge_patch(const nlohmann::json& before, const nlohmann::json& after);

} // namespace troupe::dashboard
