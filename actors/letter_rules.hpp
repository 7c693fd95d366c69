#pragma once

#include "engine/policy/backoff.hpp"

#include <cstddef>

namespace troupe::actors {

/// What an envelope shows of the payload, in bytes; less where the broker still refuses.
constexpr std::size_t envelope_head = std::size_t{64} << 10;
/// How soon what the broker did not take is written again. It is not given up.
constexpr policy::retry_rules write_again{.attempts = 1,
                                          .backoff = policy::backoff_kind::exponential,
                                          .initial = milliseconds{200},
                                          .max = milliseconds{5000},
                                          .jitter = 0};

} // namespace troupe::actors
