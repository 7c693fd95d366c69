#pragma once

#include "engine/config/model.hpp"
#include "engine/kafka/observer.hpp"
#include "engine/state/reader.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// The group of an actor that consumes; nullptr for one that does not.
const config::consume* consume_of(const config::actor& a);

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

/// One row of `status` and `top`: an actor of the config, or one that only the processes know.
struct actor_row {
  std::string name, kind;
  std::optional<state::actor_view> seen; ///< none: no live process tells of it
  std::optional<std::int64_t> retries, dead_letters, lag;
  std::optional<double> behind_s;
};
std::vector<actor_row> rows_of(const config::settings& s, const state::overview& o);
/// Fills in from Kafka what no process told just now. Without an answer it stays unknown.
void fill_lag(std::vector<actor_row>& rows, const config::settings& s, group_watch& watch,
              std::int64_t now_ms);

/// The tables, and the same as JSON.
std::string shown(const std::vector<actor_row>& rows, const state::overview& o);
std::string shown_instances(const state::overview& o);
nlohmann::json as_json(const std::vector<actor_row>& rows, const state::overview& o);

/// On a line of its own; bytes that are no UTF-8 are replaced.
std::string text_of(const nlohmann::json& j);

/// null where it is not known.
template <class T>
nlohmann::json known(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

} // namespace troupe
