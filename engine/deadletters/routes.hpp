#pragma once

#include "engine/config/model.hpp"
#include "engine/core/record.hpp"
#include "engine/core/result.hpp"

#include <optional>
#include <string>
#include <vector>

namespace troupe::deadletters {

/// The way back of a letter.
struct route {
  std::string actor;  ///< which wrote it
  std::string source; ///< what that actor read
  /// What that actor alone reads.
  [[nodiscard]] std::string replay_topic() const { return source + '.' + actor + ".replay"; }
};

/// The actors of a config that write dead letters to this topic. None: it holds something else.
std::vector<std::string> writers_of(const config::settings& config, const std::string& topic);

/// From a letter to whoever is to handle it again. A config knows which actor writes where; without one the
/// name of the topic must say it, as <source>.<actor>.dlq does.
class routes {
public:
  explicit routes(std::optional<config::settings> of) : config_{std::move(of)} {}
  /// errc::refused, with the reason, where it cannot be told; and, if it is to go to its actor `alone`, where
  /// nobody or somebody else as well would read the replay topic.
  [[nodiscard]] result<route> of(const record& letter, bool alone) const;

private:
  std::optional<config::settings> config_;
};

} // namespace troupe::deadletters
