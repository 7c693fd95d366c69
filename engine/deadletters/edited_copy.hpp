#pragma once

#include "engine/core/result.hpp"
#include "engine/deadletters/archive.hpp"
#include "engine/deadletters/routes.hpp"
#include "engine/kafka/connection.hpp"

#include <string>

namespace troupe::deadletters {

/// The letter's event with another value, as a replay would send it; its header `edited-by` says by whom.
outgoing make_edited(const record& letter, std::string topic, std::string value, const std::string& by);

/// Has the letter's actor handle such a copy, and answers the topic that it went to. The letter stays as it
/// is. errc::conflict where it is not open any more; errc::refused where there is no way back to its actor,
/// or an envelope has the place of its payload. Waits until the brokers have it.
result<std::string> send_edited(const kafka::connection& to, const routes& ways, archive& in,
                                const archive::found& letter, std::string value, const std::string& by);

} // namespace troupe::deadletters
