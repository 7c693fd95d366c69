#pragma once

#include "engine/core/result.hpp"
#include "engine/deadletters/archive.hpp"
#include "engine/deadletters/routes.hpp"
#include "engine/kafka/admin.hpp"

#include <cstdint>
#include <optional>
#include <string>

// Private to this folder: where the events go that come back.
namespace troupe::deadletters {

/// Makes the topic that only this actor reads, with as many partitions as its source, unless it is there.
/// errc::usage where there is no source.
result<void> make_replay_topic(kafka::admin& by, archive& in, const route& way);

/// Order is kept for a key. What has none goes where it came from. `count`: of the target's partitions.
std::optional<std::int32_t> partition_for(const record& letter, const std::string& target, bool to_source,
                                          std::int32_t count);

} // namespace troupe::deadletters
