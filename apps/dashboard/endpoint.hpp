#pragma once

#include "engine/http/server.hpp"

#include <functional>
#include <string>
#include <vector>

namespace troupe::dashboard {

/// Who asks, as the session and the address told.
struct visitor {
  std::string user;      ///< for the audit
  bool operates = false; ///< may change things
  bool reads_payloads = false;
};

/// A place of the API. The server has checked host, origin, token, session and role before `answer` is
/// called, on its own thread: what waits does so elsewhere.
struct endpoint {
  std::string method;
  std::string path;  ///< exact; with a last segment of `*`, whatever stands there
  bool acts = false; ///< only for operators
  std::function<void(const http::request&, const visitor&, http::reply)> answer;
  bool anybody = false; ///< also for who has not logged in
};

} // namespace troupe::dashboard
