#include "engine/http/framing.hpp"

namespace troupe::http {

head_end find_head_end(std::string_view text, std::size_t& seen) {
  for (; seen < text.size(); ++seen) {
    if (seen >= 1 && text[seen - 1] == '\n' && (text[seen] == ' ' || text[seen] == '\t'))
      return head_end::folded_line;
    if (text[seen] != '\n') continue;
    if (seen == 0 || text[seen - 1] != '\r') return head_end::bare_line_feed;
    if (seen >= 3 && text[seen - 2] == '\n') return head_end::here;
  }
  return head_end::not_yet;
}

} // namespace troupe::http
