#pragma once

#include "engine/config/model.hpp"

namespace troupe {

/// What only the servers know: do they answer, do the topics exist, are there DLQ topics. Findings go to
/// standard error. Exit code: 0, 1 for findings, 69 when a server does not answer.
int check_online(const config::settings& settings);

} // namespace troupe
