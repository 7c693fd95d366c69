#pragma once

#include "apps/dashboard/live_document.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace troupe::dashboard {

/// Whether this is a word of now.
bool is_fresh(const state::partition_view& p, const state::overview& o);

struct partition {
  nlohmann::json shown;
  std::optional<std::int64_t> lag;
  std::optional<double> behind_s;
};
using partitions = std::map<std::string, partition>; ///< by group/topic/number

/// Each by its process, or else by Kafka.
partitions partitions_of(const config::settings& s, const state::overview& o, const kafka_view& kafka);
/// Over all partitions of an actor; nothing where one of them is not known.
void add_lag(nlohmann::json& j, const config::actor& a, const state::overview& o, const kafka_view& kafka,
             const partitions& all);

} // namespace troupe::dashboard
