#pragma once

#include "engine/core/record.hpp"

#include <string_view>
#include <vector>

/// W3C Trace Context, as headers of events. It is handed on as it came: nothing here makes up an id.
namespace troupe {

/// Whether it has the form of a `traceparent`: version, trace, parent, flags, none of the ids zero.
bool is_traceparent(std::string_view text);

/// What came of an event belongs to its trace: its `traceparent` and `tracestate` go with each of them that
/// has no `traceparent` of its own.
void carry_trace(const std::vector<header>& from, std::vector<outgoing>& to);

} // namespace troupe
