#pragma once

#include "engine/config/model.hpp"

#include <string>
#include <vector>

namespace troupe {

/// handler, aggregate, ingest or generate.
std::string kind_of(const config::actor& a);
/// What an actor reads; nullptr for one that reads nothing.
const config::consume* consume_of(const config::actor& a);
/// Its topics, and where it has them those that dead letters come back by; a pattern stays one.
std::vector<std::string> read_topics_of(const config::actor& a);
/// Whether its dead letters go to this topic.
bool buries_in(const config::actor& a, const std::string& topic);
/// Whether it reads this topic in this group.
bool reads(const config::actor& a, const std::string& group, const std::string& topic);

} // namespace troupe
