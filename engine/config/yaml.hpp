#pragma once

#include "engine/config/problems.hpp"
#include "engine/config/tree.hpp"

#include <optional>
#include <string_view>

namespace troupe::config {

/// Parses one YAML document with the places of all its pieces, aliases expanded. Nothing, and at least one
/// problem, where it cannot be read; duplicate keys are problems too, the first one is kept.
/// `from` is the origin the places point into; its lines are those of `text`.
std::optional<node> parse_yaml(std::string_view text, std::size_t from, problem_list& problems);

/// What no configuration may hold, said with its place: over 1 MiB, NUL bytes, invalid UTF-8. True if clean.
bool readable_text(std::string_view text, std::size_t from, problem_list& problems);

/// The lines of a text, without their ends, tabs as spaces, control characters as ?.
std::vector<std::string> lines_of(std::string_view text);

} // namespace troupe::config
