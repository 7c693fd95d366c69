#pragma once

#include <cstddef>
#include <string_view>

namespace troupe::fuzz {

/// A text of RFC 8259 and nothing else: a second opinion on what the engine takes for JSON. UTF-8 without a
/// byte order mark, no lone surrogates, numbers of any size; nested at most `depth` levels.
bool is_strict_json(std::string_view text, std::size_t depth);

} // namespace troupe::fuzz
