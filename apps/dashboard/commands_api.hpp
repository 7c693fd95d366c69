#pragma once

#include "apps/dashboard/desk.hpp"
#include "apps/dashboard/endpoint.hpp"
#include "apps/dashboard/paced_thread.hpp"
#include "apps/dashboard/present.hpp"
#include "engine/redis/client.hpp"
#include "engine/state/control.hpp"

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace troupe::dashboard {

/// Orders to pools, and what became of them; each stands in the audit before and after.
class commands_api {
public:
  commands_api(const present_config& config, std::shared_ptr<redis::client> redis);
  std::vector<endpoint> endpoints();

private:
  struct given {
    state::order what;
    std::vector<std::string> live; ///< who should answer
    bool concluded = false;
  };
  void give(const http::request& asked, const std::string& by, http::reply& to);
  void tell(const std::string& id, http::reply& to);
  void conclude();

  const present_config& config_;
  std::shared_ptr<redis::client> redis_;
  std::mutex lock_;
  std::deque<given> given_; ///< the latest
  desk clerk_;
  paced_thread notary_; ///< the last: both use the rest
};

} // namespace troupe::dashboard
