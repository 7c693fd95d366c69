#pragma once

#include "engine/config/model.hpp"
#include "engine/core/result.hpp"
#include "engine/handler/handler.hpp"
#include "engine/metrics/registry.hpp"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// What a start may need to be told.
struct run_options {
  std::vector<std::string> rebuild; ///< aggregates that count again from the log
  std::vector<std::string> adopt;   ///< aggregates that go on although their definition changed
  std::string version;              ///< for troupe_build_info, and the operational state
  std::function<void(metrics::registry&)> on_scrape = {}; ///< tells what else is to be measured; any thread
};

/// The running engine, without CAF in sight: what apps see. Thread-safe.
class runtime {
public:
  /// Checks that Kafka (and Redis, where an actor needs it) answers, opens the admin listener, starts every
  /// actor. `ended` is called once, from another thread, with the exit code when all of it has stopped.
  static result<std::unique_ptr<runtime>> start(config::settings settings, const handlers& h,
                                                run_options options,
                                                std::function<void(int exit_code)> ended);
  ~runtime();

  void stop(int exit_code);
  void reload(config::settings next);
  void count_refused_reload(); ///< of a config that has errors: nothing changes
  [[nodiscard]] publisher& publish();
  [[nodiscard]] bool ready() const;
  /// With `kafka.brokers: embedded`: where the demo's own broker listens; otherwise the configured brokers.
  [[nodiscard]] std::string brokers() const;
  /// What /metrics shows.
  [[nodiscard]] std::string metrics() const;

  /// For the tests that kill actors: ends one actor of this kind as a crash would. False if there is none.
  bool kill_one(const std::string& kind);

private:
  struct impl;
  explicit runtime(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe
