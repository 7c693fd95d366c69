#pragma once

#include "engine/core/result.hpp"
#include "engine/kafka/handles.hpp"

#include <string>

namespace troupe::kafka {

/// Which of our kinds a code of librdkafka or of the broker is.
errc classify(rd_kafka_resp_err_t code);

/// "<doing>: <librdkafka's text>", with its kind.
error to_error(rd_kafka_resp_err_t code, const std::string& doing);

} // namespace troupe::kafka
