#include "apps/dashboard/watcher.hpp"

#include <utility>

namespace troupe::dashboard {
namespace {

using nlohmann::json;

constexpr std::int64_t trend_over_ms = 60'000;
constexpr std::int64_t shortest_trend_ms = 5'000; ///< over less it is noise

/// Whoever comes before Redis has answered sees what the config says.
json publish_first(const config::settings& s, const std::string& version, hub& to) {
  auto doc = first_document(s);
  doc["version"] = version;
  to.publish(doc, std::chrono::steady_clock::now());
  return doc;
}

} // namespace

watcher::watcher(const present_config& config, std::shared_ptr<redis::client> redis,
                 std::vector<panel> panels, std::string version, hub& to)
    : config_{config}, redis_{std::move(redis)}, panels_{std::move(panels)}, version_{std::move(version)},
      to_{to}, last_{publish_first(*config.get(), version_, to)}, kafka_{config},
      thread_{std::in_place, config.get()->dashboard.interval, [this] { look(); }} {}

void watcher::finish() {
  thread_.reset();
  if (last_["redis"]["up"] == true) look();
}

void watcher::look() {
  const auto settings = config_.get();
  auto read = state::reader{redis_, settings->app}.read(wall_ms());
  if (read) {
    last_ = document_of(*settings, *read);
  } else {
    // What was last known stays, and says by its `at` from when it is.
    last_["redis"] = {{"up", false}, {"trouble", read.failure().detail}};
  }
  const auto now = std::chrono::steady_clock::now();
  to_.publish(last_, now);
  to_.keep_alive(now);
}

json watcher::document_of(const config::settings& s, const state::overview& o) {
  kafka_.want(untold_actors(s, o));
  note_instances(o);
  auto doc = live_document(s, o, kafka_.view(), tendencies_);
  note_actors(doc["actors"], o.at_ms);
  doc["version"] = version_;
  add_panels(doc, s, o.at_ms);
  return doc;
}

/// Cores in use, from beat to beat.
void watcher::note_instances(const state::overview& o) {
  std::map<std::string, sample> now;
  for (const auto& i : o.instances) {
    if (!i.cpu_seconds) continue;
    const sample fresh{i.beat_ms, *i.cpu_seconds};
    const auto at = cpu_.find(i.id);
    const bool again = at != cpu_.end() && fresh.value >= at->second.value;
    if (again && fresh.at_ms > at->second.at_ms)
      tendencies_.cpu_share[i.id] =
          (fresh.value - at->second.value) * 1000 / static_cast<double>(fresh.at_ms - at->second.at_ms);
    else if (!again)
      tendencies_.cpu_share.erase(i.id); // new, or started again
    now[i.id] = fresh;
  }
  cpu_ = std::move(now);
}

void watcher::note_actors(const json& actors, std::int64_t now_ms) {
  tendencies_.trend.clear();
  for (const auto& [name, a] : actors.items()) {
    auto& past = behind_[name];
    if (!a.contains("behind_s")) {
      past.clear();
      continue;
    }
    past.push_back({now_ms, a["behind_s"].get<double>()});
    while (now_ms - past.front().at_ms > trend_over_ms)
      past.pop_front();
    const auto span = now_ms - past.front().at_ms;
    if (span >= shortest_trend_ms)
      tendencies_.trend[name] = (past.back().value - past.front().value) * 1000 / static_cast<double>(span);
  }
}

/// A panel that cannot be read is not there.
void watcher::add_panels(json& doc, const config::settings& s, std::int64_t now_ms) {
  for (const auto& p : panels_) {
    if (!p.applies(s)) continue;
    auto read = p.read(*redis_, s, now_ms);
    if (!read) continue;
    (*read)["at"] = now_ms;
    doc["panels"][p.name] = std::move(*read);
  }
}

} // namespace troupe::dashboard
