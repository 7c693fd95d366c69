#pragma once

#include "engine/http/message_parser.hpp"

#include <boost/beast/core/string.hpp>

#include <cstddef>
#include <string_view>

/// What Beast lets pass and others on the way here may read otherwise: it is nothing here. Private to this
/// folder.
namespace troupe::http {

enum class head_end { not_yet, here, folded_line, bare_line_feed };

/// Whether all of a head is in `text`. Goes on at `seen`, how many bytes were looked at, and moves it.
head_end find_head_end(std::string_view text, std::size_t& seen);

/// Whether a head says the length of its body in one way that is known, or that there is none. Of the
/// transfer codings that is chunked alone: Beast hands over what was packed before it as if it were the body.
inline bool has_one_length(const message_parser<true>& head) {
  return head.lengths + head.encodings <= 1 &&
         (head.encodings == 0 || boost::beast::iequals(head.coding, "chunked"));
}

} // namespace troupe::http
