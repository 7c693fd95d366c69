#pragma once

#include "engine/core/result.hpp"
#include "engine/kafka/consumer.hpp"
#include "engine/kafka/handles.hpp"

namespace troupe::kafka {

/// What our consumers are set to.
result<conf_ptr> make_consumer_conf(const consumer_config& config);

} // namespace troupe::kafka
