#pragma once

#include "actors/messages.hpp"
#include "engine/http/client.hpp"

#include <variant>

namespace troupe::actors {

/// The call as it goes out.
http::call make_http_call(const http::url& to, const call& what, milliseconds left);

/// The verdict on it (design, section 4). A refusal's reason is the status and what the answer says of it: of
/// JSON the first text at /detail, /message, /error, /error/message or /title (the first and the last are of
/// RFC 9457), of plain text the first line.
outcome judge_answer(const std::variant<http::answer, http::broken_call>& got, bool publishes);

} // namespace troupe::actors
