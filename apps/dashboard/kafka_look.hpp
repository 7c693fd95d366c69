#pragma once

#include "apps/dashboard/group_watch.hpp"
#include "apps/dashboard/live_document.hpp"
#include "apps/dashboard/paced_thread.hpp"
#include "apps/dashboard/present.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace troupe::dashboard {

/// Asks Kafka every other second whether it is there, and where the groups stand of which nobody tells: on a
/// thread of its own, so that a Kafka that does not answer holds up nothing else.
class kafka_look {
public:
  explicit kafka_look(const present_config& config);

  /// Which actors to ask for from now on.
  void want(std::vector<std::string> actors);
  /// What the last look found; until there was one, that all is well.
  [[nodiscard]] kafka_view view() const;

private:
  void look();
  kafka_view ask(const std::vector<std::string>& actors);

  const present_config& config_;
  std::shared_ptr<const config::settings> settings_; ///< those that watch_ was made for
  std::unique_ptr<group_watch> watch_;
  mutable std::mutex lock_;
  std::vector<std::string> wanted_;
  kafka_view view_;
  paced_thread thread_; ///< the last: it uses the rest
};

} // namespace troupe::dashboard
