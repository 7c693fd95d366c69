#include "apps/command/tap.hpp"

#include "apps/command/app_state.hpp"
#include "apps/command/exit_code.hpp"
#include "apps/command/signals.hpp"
#include "apps/command/words.hpp"

#include <algorithm>
#include <cstdio>

namespace troupe {
namespace {

using nlohmann::json;

constexpr std::size_t columns_of_key = 40, columns_of_value = 160;

std::string line_of(const record& e) {
  const auto text = [](const std::optional<std::string>& s, std::size_t columns) {
    return s ? words::clipped(*s, columns) : std::string{"null"};
  };
  return (e.timestamp_ms < 0 ? std::string{words::unknown} : rfc3339(e.timestamp_ms)) + "  " + e.id() + "  " +
         text(e.key, columns_of_key) + "  " + text(e.value, columns_of_value) + '\n';
}

std::string json_of(const record& e) {
  json j{{"topic", *e.topic},   {"partition", e.partition},
         {"offset", e.offset},  {"timestamp_ms", e.timestamp_ms},
         {"key", known(e.key)}, {"value", known(e.value)}};
  j["headers"] = json::array();
  for (const auto& h : e.headers)
    j["headers"].push_back({{"name", h.name}, {"value", known(h.value)}});
  return text_of(j);
}

/// So many a second, spread over it: a burst would show one moment only.
class pace {
public:
  explicit pace(unsigned per_second)
      : every_{std::chrono::nanoseconds{std::chrono::seconds{1}} / per_second} {}
  bool take(steady_time now) {
    if (now < next_) return false;
    next_ = std::max(next_ + every_, now);
    return true;
  }

private:
  std::chrono::nanoseconds every_;
  steady_time next_{};
};

} // namespace

int tap(const tap_arguments& from, const handlers& h) {
  const auto app = load_app(from.app, h);
  if (!app.settings) return app.exit_code;
  const auto& actors = app.settings->actors;
  const auto at =
      std::find_if(actors.begin(), actors.end(), [&](const auto& a) { return a.name == from.actor; });
  const auto* consume = at == actors.end() ? nullptr : consume_of(*at);
  if (!consume)
    return complain("tap",
                    {errc::usage, "'" + from.actor + "' is no actor of the config that consumes anything"});
  const auto& k = app.settings->kafka;
  if (k.embedded())
    return complain("tap",
                    {errc::bad_config, "kafka.brokers is embedded: that broker lives in its process alone"});
  auto observer =
      kafka::observer::open({k.brokers, k.properties, k.consumer, k.producer, false}, "troupe-tap");
  if (!observer) return complain("tap", observer.failure());
  const auto where = (*observer)->partitions(consume->topics, milliseconds{10'000});
  if (!where) return complain("tap", where.failure());
  if (where->empty()) return complain("tap", {errc::unavailable, "none of its topics exists yet"});
  if (const auto begun = (*observer)->follow(*where); !begun) return complain("tap", begun.failure());
  std::fprintf(stderr, "%s reads %zu partition%s from their ends on; Ctrl-C ends it\n", from.actor.c_str(),
               where->size(), where->size() == 1 ? "" : "s");

  signals incoming;
  pace allowed{from.rate};
  unsigned shown = 0;
  unsigned long long skipped = 0;
  while (!from.most || shown < *from.most) {
    if (incoming.wait(milliseconds{0}) == signals::event::stop) break;
    const auto event = (*observer)->next(milliseconds{100});
    if (!event) continue;
    if (!allowed.take(std::chrono::steady_clock::now())) {
      ++skipped;
      continue;
    }
    ++shown;
    std::fputs((from.app.json ? json_of(*event) : line_of(*event)).c_str(), stdout);
    std::fflush(stdout);
  }
  std::fprintf(stderr, "%u shown, %llu skipped\n", shown, skipped);
  return exit_code::done;
}

} // namespace troupe
