#pragma once

#include "engine/kafka/consumer.hpp"
#include "engine/kafka/handles.hpp"

#include <vector>

namespace troupe::kafka {

/// The offsets with their metadata, as librdkafka takes them; of a partition named twice the last.
list_ptr to_list(const std::vector<commit_request>& requests);

} // namespace troupe::kafka
