#pragma once

#include "apps/dashboard/hub.hpp"
#include "apps/dashboard/kafka_look.hpp"
#include "apps/dashboard/live_document.hpp"
#include "apps/dashboard/paced_thread.hpp"
#include "apps/dashboard/panel.hpp"
#include "apps/dashboard/present.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::dashboard {

/// The one that reads Redis: every `dashboard.interval`, however many look.
class watcher {
public:
  watcher(const present_config& config, std::shared_ptr<redis::client> redis, std::vector<panel> panels,
          std::string version, hub& to);

  /// Looks once more, so that those who follow see how all ended; then no more.
  void finish();

private:
  struct sample {
    std::int64_t at_ms = 0;
    double value = 0;
  };
  void look();
  nlohmann::json document_of(const config::settings& s, const state::overview& o);
  void note_instances(const state::overview& o);
  void note_actors(const nlohmann::json& actors, std::int64_t now_ms);
  void add_panels(nlohmann::json& doc, const config::settings& s, std::int64_t now_ms);

  const present_config& config_;
  std::shared_ptr<redis::client> redis_;
  std::vector<panel> panels_;
  std::string version_;
  hub& to_;
  nlohmann::json last_;                              ///< what was published
  std::map<std::string, sample> cpu_;                ///< seconds used, by instance, at its last beat
  std::map<std::string, std::deque<sample>> behind_; ///< of the last minute, by actor
  tendencies tendencies_;
  kafka_look kafka_;
  std::optional<paced_thread> thread_; ///< the last: it uses the rest
};

} // namespace troupe::dashboard
