#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::config {

/// Typing mistakes between two words: letters changed, left out, added, or two swapped (Damerau-Levenshtein).
std::size_t distance(std::string_view a, std::string_view b);

/// The candidate that was probably meant, if one is near enough.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

} // namespace troupe::config
