#pragma once

#include "apps/dashboard/desk.hpp"
#include "apps/dashboard/endpoint.hpp"
#include "apps/dashboard/present.hpp"
#include "apps/dashboard/tap_reader.hpp"
#include "engine/redis/client.hpp"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe::dashboard {

/// What is read when somebody asks for it: charts, the audit, an actor's lines of the config, events of
/// Kafka.
class reading_api {
public:
  reading_api(const present_config& config, std::shared_ptr<redis::client> redis);
  std::vector<endpoint> endpoints();

private:
  struct chart {
    steady_time at;
    std::string text;
  };
  void history(const http::request& asked, http::reply& to);
  void audit(const http::request& asked, http::reply& to);
  [[nodiscard]] http::response config_of(const http::request& asked) const;
  void tap(const http::request& asked, bool payloads, http::reply& to);

  const present_config& config_;
  std::shared_ptr<redis::client> redis_;
  std::map<std::pair<std::string, std::string>, chart> charts_; ///< by actor and window; of the archivist
  tap_reader taps_;                                             ///< of the tapster
  desk archivist_, tapster_;                                    ///< the last: they use the rest
};

} // namespace troupe::dashboard
