#pragma once

#include "apps/dashboard/endpoint.hpp"
#include "apps/dashboard/present.hpp"
#include "engine/kafka/connection.hpp"
#include "engine/metrics/registry.hpp"
#include "engine/redis/client.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace troupe::dashboard {

/// Whose dead letters, and where they are.
struct letters_scene {
  const present_config& config;
  kafka::connection kafka;
  std::shared_ptr<redis::client>
      redis; ///< for the count of open letters and the audit; none: neither is kept
};

/// Dead letters for the browser: /api/v1/dlq…. Questions wait for Kafka, two at a time, on threads of their
/// own; while as many as may be wait, others are told to come back. Only topics that an actor of the config
/// writes its dead letters to are looked into.
class letters_api {
public:
  static constexpr std::size_t most_waiting = 16; ///< those being answered included

  explicit letters_api(letters_scene about);
  ~letters_api();
  /// Stops replays and discards that are at work, and waits for what of them is under way.
  void close();
  [[nodiscard]] std::vector<endpoint> endpoints() const;
  /// How often what was done, as of now.
  void tell(metrics::registry& into) const;

private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

} // namespace troupe::dashboard
