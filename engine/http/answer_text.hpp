#pragma once

#include "engine/http/server.hpp"

#include <cstddef>
#include <string>

/// What the server writes. Private to this folder.
namespace troupe::http {

/// An answer as it goes over the wire; `head` leaves the body out.
std::string answer_text(const response& answer, bool head, bool keep_alive);

/// The head of an answer that goes on until its connection ends.
std::string stream_head_text(const response& head);

/// A limit, for people.
std::string shown(std::size_t bytes);

} // namespace troupe::http
