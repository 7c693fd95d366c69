#pragma once

#include "engine/core/time.hpp"
#include "engine/http/server.hpp"
#include "engine/ingest/intake.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace troupe::actors {

/// The HTTP servers of the ingests: one for each address, shared by those that listen there. Answers what is
/// no route of any (404, 405) and what browsers ask before they send (CORS). Thread-safe.
class http_doors {
public:
  struct route {
    std::string method, path;
    std::string cors;       ///< the origin that may send; empty: none
    std::string key_header; ///< that browsers may send then
    http::server::handler to;
  };
  /// A route that is there already is replaced: its ingest has died.
  result<void> open(const std::string& listen, http::server_options options, route what);
  /// The last route closes the address. Who asks there at that moment is answered 503.
  void leave(const std::string& listen, const std::string& method, const std::string& path);
  /// All doors begin to stop. What arrives meanwhile still goes to the routes.
  void stop();
  /// Whether, after `stop`, requests may still arrive at this address.
  bool is_used(const std::string& listen);
  void close();

private:
  struct door;
  /// How many connections a further address may hold: what is wanted, or as many as the process may open.
  std::size_t room(const std::string& listen, std::size_t wanted) const;
  void free_address(const std::string& listen);
  std::mutex lock_;
  std::map<std::string, std::shared_ptr<door>> doors_;        ///< by address
  std::multimap<std::string, std::shared_ptr<door>> closing_; ///< without a route
};

/// A problem as an answer, with Retry-After in whole seconds where it is given.
http::response problem_answer(const ingest::problem& why, std::optional<milliseconds> retry_after = {});
/// Adds what a browser needs to see the answer.
void allow_origin(http::response& answer, const std::string& cors);

} // namespace troupe::actors
