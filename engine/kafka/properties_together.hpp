#pragma once

#include "engine/kafka/connection.hpp"

#include <string>
#include <vector>

namespace troupe::kafka {

/// What librdkafka refuses of the user's properties only when a client is made of all of them: those that
/// contradict each other, or ours. In its own words, for consumers and for producers. Connects to nobody, and
/// leaves out TLS and SASL, whose files and secrets need not be where the config is checked.
std::vector<std::string> check_together(const connection& to);

} // namespace troupe::kafka
