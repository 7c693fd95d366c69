#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::json {

/// The events in a body: the object itself, or the elements of an array, byte for byte. Nothing where the
/// body is not JSON as the extractor knows it, or is neither.
std::optional<std::vector<std::string>> split_events(std::string_view body);

} // namespace troupe::json
