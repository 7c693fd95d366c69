#include "apps/dashboard/live_api.hpp"

#include <charconv>
#include <utility>

namespace troupe::dashboard {
namespace {

std::optional<std::int64_t> last_event_in(const http::request& asked) {
  const auto* text = asked.header("Last-Event-ID");
  std::int64_t number = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc{})
    return std::nullopt;
  return number;
}

} // namespace

std::vector<endpoint> live_endpoints(hub& events, doorkeeper& keeper) {
  return {{"GET", "/api/v1/snapshot", false,
           [&events](const http::request&, const visitor&, http::reply to) {
             to({.content_type = "application/json", .body = *events.snapshot()});
           }},
          {"GET", "/api/v1/stream", false,
           [&events, &keeper](const http::request& asked, const visitor&, http::reply to) {
             events.follow(std::move(to), last_event_in(asked),
                           [&keeper, asked] { return keeper.identify(asked).has_value(); });
           }}};
}

} // namespace troupe::dashboard
