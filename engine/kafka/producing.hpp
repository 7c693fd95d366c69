#pragma once

#include "engine/core/record.hpp"
#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/kafka/connection.hpp"
#include "engine/kafka/handles.hpp"

#include <string>

namespace troupe::kafka {

/// What all of our producers are set to, and `promised` beside it. `timeout` is message.timeout.ms;
/// `one_per_batch` is for events that must not share the fate of their neighbours.
result<conf_ptr> make_producer_conf(const connection& to, const std::string& client_id, milliseconds timeout,
                                    bool one_per_batch, properties promised);

/// Hands a copy of the event to the client; `opaque` comes back in its delivery report. The error, where
/// there will be none.
kafka_error_ptr hand_over(rd_kafka_t* to, rd_kafka_topic_t* topic, const outgoing& event, void* opaque);

} // namespace troupe::kafka
