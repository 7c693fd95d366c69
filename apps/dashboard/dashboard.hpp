#pragma once

#include "apps/dashboard/panel.hpp"
#include "engine/config/model.hpp"
#include "engine/core/result.hpp"
#include "engine/metrics/registry.hpp"

#include <memory>
#include <string>
#include <vector>

namespace troupe::dashboard {

struct options {
  std::string version;
  std::string user; ///< for the audit, where nobody logs in
  std::vector<panel> panels;
};

/// The dashboard of an app: an HTTP server, and one reader of Redis. Thread-safe.
class dashboard {
public:
  /// Listens at `dashboard.listen`, whether Redis and Kafka answer or not. errc::unavailable names the
  /// address and the cause.
  static result<std::unique_ptr<dashboard>> start(const config::settings& s, options given);
  ~dashboard();

  /// Where it is, for people.
  [[nodiscard]] std::string url() const;
  /// The actors of another config; all else stays as it was, as it does in a process that runs them.
  void reload(const config::settings& s);
  /// What is to be measured of it, as of now.
  void tell(metrics::registry& into) const;
  /// Ends replays and discards, then streams, and answers what was asked; within two seconds where Kafka
  /// answers.
  void stop();

private:
  struct impl;
  explicit dashboard(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::dashboard
