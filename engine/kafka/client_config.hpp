#pragma once

#include "engine/core/result.hpp"
#include "engine/kafka/connection.hpp"
#include "engine/kafka/handles.hpp"

#include <optional>
#include <string>

namespace troupe::kafka {

enum class role { consumer, producer };

/// Who heeds a property of librdkafka, from its own table; nullopt where it has no such property.
struct property_scope {
  bool consumer = false;
  bool producer = false;
};
std::optional<property_scope> scope_of(const std::string& name);

/// Sets one property; librdkafka's own message when it refuses.
result<void> set_property(rd_kafka_conf_t* conf, const std::string& name, const std::string& value);

/// Ours first, the user's over them (common, then the role's own), the promised ones last.
result<conf_ptr> make_conf(const connection& to, role as, const properties& ours, const properties& promised);

} // namespace troupe::kafka
