#pragma once

#include "engine/core/result.hpp"

#include <map>
#include <string>

namespace troupe::kafka {

using properties = std::map<std::string, std::string>;

/// How to reach the brokers. User properties win over ours, but for those a promise stands on.
struct connection {
  std::string brokers;
  properties common, consumer, producer;
  bool embedded = false; ///< tunes clients for the mock broker (feeble fetch wake-up, short sessions)
};

/// The version of librdkafka at run time, such as "2.0.2".
std::string library_version();

/// Checks user properties against librdkafka's own table, one by one, with its own message. Refuses those
/// that a promise stands on, with the reason. Used by `troupe check`; needs no broker.
/// `section` is one of "properties", "consumer", "producer".
result<void> check_property(const std::string& section, const std::string& name, const std::string& value);

} // namespace troupe::kafka
