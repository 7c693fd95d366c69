#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::state {

/// What an operator wants of an actor's pool, whatever its file says; kept until it is reset.
struct desired {
  bool paused = false;
  std::optional<unsigned> workers; ///< none: as many as the file says
  std::int64_t revision = 0;
  std::string by;
  std::int64_t at_ms = 0;
  friend bool operator==(const desired&, const desired&) = default;
};

std::string encode(const desired& what);
/// nullopt for what is no desired state.
std::optional<desired> decode_desired(std::string_view text);
/// For people: "paused, 8 workers", "as in the file".
std::string in_words(const std::optional<desired>& what);

} // namespace troupe::state
