#pragma once

#include "engine/config/model.hpp"
#include "engine/kafka/observer.hpp"
#include "engine/state/reader.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <vector>

namespace troupe::dashboard {

/// What Kafka itself said when it was last asked.
struct kafka_view {
  bool up = false;
  std::string trouble; ///< why not
  std::int64_t at_ms = 0;
  std::map<std::string, std::vector<kafka::standing>> standings; ///< of actors that no process tells all of
};

/// What two looks together tell.
struct tendencies {
  std::map<std::string, double> cpu_share; ///< by instance: cores
  std::map<std::string, double> trend;     ///< by actor: seconds further behind, per second
};

/// Actors of which Kafka has to be asked: no live process tells of all their partitions.
std::vector<std::string> untold_actors(const config::settings& s, const state::overview& o);

/// All that a browser shows of an app at one moment, as docs/dashboard.md describes it. What is not known is
/// not there.
nlohmann::json live_document(const config::settings& s, const state::overview& o, const kafka_view& kafka,
                             const tendencies& t);
/// The same before Redis ever answered: what the config alone says.
nlohmann::json first_document(const config::settings& s);

nlohmann::json as_json(const state::audit_entry& e);

} // namespace troupe::dashboard
