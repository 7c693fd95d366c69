// A request's body, its content type and its key, as the rules of several actors take them.
#include "engine/ingest/intake.hpp"
#include "tests/fuzz/strict_json.hpp"
#include "tests/fuzz/targets.hpp"

#include <nlohmann/json.hpp>

#include <array>

namespace troupe::fuzz {
namespace {

using tree = nlohmann::json;

constexpr std::int64_t now = 1'769'903'999'000'000'042;
constexpr std::string_view now_text = "2026-01-31T23:59:59.000000042Z";
constexpr std::size_t deepest = 64;

struct mode {
  bool key_header, key, require, stamp, batch;
  const char* stamp_at;
};
constexpr std::array modes{
    mode{false, false, false, false, false, ""}, mode{true, false, true, false, false, ""},
    mode{false, true, true, true, true, "/timestamp"}, mode{false, false, false, true, true, "/meta/at"},
    mode{false, true, false, true, false, "/a\"t"}};

ingest::rules rules_of(const mode& m) {
  ingest::rules r;
  r.topic = "events";
  if (m.key_header) r.key_header = "X-Customer-ID";
  if (m.key) r.key = json::pointer::parse("/session_id").value();
  if (m.require) {
    r.require.emplace_back(json::pointer::parse("/type").value(), "string");
    r.require.emplace_back(json::pointer::parse("/payload/n").value(), "integer");
  }
  if (m.stamp) r.stamp = json::pointer::parse(m.stamp_at).value();
  r.batch = m.batch;
  return r;
}

std::string type_from(cursor& in) {
  constexpr std::array known{"", "application/json", "application/x-ndjson", "text/plain;charset=UTF-8"};
  const std::size_t which = in.byte() % 5U;
  return which < known.size() ? known[which] : in.text();
}

void check_event(const outgoing& event, const mode& m, const std::optional<std::string>& header) {
  require(event.topic == "events" && event.timestamp_ms == now / 1'000'000,
          "an event has its topic and time");
  require(event.value && is_strict_json(*event.value, deepest + 1), "an accepted event is JSON");
  if (m.key_header) require(event.key == header, "the header is the key");
  if (m.key) require(event.key && !event.key->empty(), "an event has the key that the config asks for");
  const auto value = tree::parse(*event.value, nullptr, false);
  if (value.is_discarded()) return; // a number that is too large for this parser
  require(value.is_object(), "an event is an object");
  if (m.require)
    require(value.at("type").is_string() && value.at("payload").at("n").is_number(),
            "what is required is there");
  if (m.stamp)
    require(value.at(tree::json_pointer{m.stamp_at}) == now_text, "an event bears the server's time");
}

void check_problem(const ingest::problem& p) {
  require(p.status == 400 || p.status == 415, "a body that is refused is the client's mistake");
  require(!p.detail.empty(), "a refusal says why");
  const auto text = ingest::problem_json(p);
  require(is_strict_json(text, 4), "a problem is JSON");
  require(tree::parse(text).at("status") == p.status, "and says its status");
}

} // namespace

void ingest(std::string_view input) {
  cursor in{input};
  const auto& m = modes[in.byte() % modes.size()];
  const auto type = type_from(in);
  std::optional<std::string> header;
  if (in.byte() % 4 != 0) header = in.text();
  const std::string body{in.rest()};

  ingest::intake door{rules_of(m)};
  auto got = door.events(type, header, body, now);
  if (const auto* refused = std::get_if<ingest::problem>(&got)) return check_problem(*refused);
  const auto& events = std::get<std::vector<outgoing>>(got);
  require(!events.empty(), "a request that is taken is at least one event");
  require(m.batch || events.size() == 1, "and just one where batches are not taken");
  for (const auto& event : events)
    check_event(event, m, header);
  if (!m.stamp && !m.batch) require(events[0].value == body, "the body is the event, byte for byte");
}

} // namespace troupe::fuzz
