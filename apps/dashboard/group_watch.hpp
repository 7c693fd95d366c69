#pragma once

#include "engine/config/model.hpp"
#include "engine/kafka/observer.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// Where the brokers are, for who only looks.
kafka::connection connection_of(const config::settings& s);

/// Asks Kafka itself where the groups of an app stand, so that lag goes on growing when no process tells of
/// it.
class group_watch {
public:
  explicit group_watch(const config::settings& s) : settings_{s} {}
  /// Of each actor, or of those named. Waits for the network, up to `timeout` for each.
  result<std::map<std::string, std::vector<kafka::standing>>> look(const std::vector<std::string>& actors,
                                                                   milliseconds timeout);

private:
  const config::settings& settings_;
  std::map<std::string, std::unique_ptr<kafka::observer>> observers_; ///< by group
};

/// Events beyond the commit; a group that never committed begins where its `start` says.
std::int64_t lag_of(const kafka::standing& s, config::start_at start);
/// Seconds since the first of them was written; nullopt where that could not be read.
std::optional<double> behind_of(const kafka::standing& s, config::start_at start, std::int64_t now_ms);

} // namespace troupe
