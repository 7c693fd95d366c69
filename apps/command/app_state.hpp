#pragma once

#include "apps/dashboard/actor_facts.hpp"
#include "apps/dashboard/group_watch.hpp"
#include "engine/config/model.hpp"
#include "engine/state/reader.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

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
