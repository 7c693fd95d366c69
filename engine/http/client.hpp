#pragma once

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace troupe::http {

struct url {
  bool tls = false;
  std::string host, port, target = "/";
};
result<url> parse_url(const std::string& text);

struct call {
  http::url to;
  std::string method = "POST";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct answer {
  int status = 0;
  std::optional<milliseconds> retry_after; ///< seconds or an HTTP date
  std::string body;
};

/// How a call failed; the HTTP handler's verdict depends on it.
enum class failure {
  no_connection, ///< resolving, connecting, TLS: nothing was sent
  reset,         ///< the connection broke after the request was (partly) sent
  deadline,      ///< no answer in time
  too_large,     ///< the answer is over the limit
  malformed,     ///< the answer is no HTTP
  cancelled,
};
struct broken_call {
  failure kind;
  std::string detail;
};

/// Asynchronous HTTP/1.1 client: keep-alive connections per host, one thread for all calls, hundreds at once.
/// A kept connection that the server closed before a single byte of the answer came is tried once more on a
/// new one.
class client {
public:
  using done = std::function<void(std::variant<answer, broken_call>)>;

  client();
  ~client(); ///< calls under way end as cancelled

  /// Calls `cb` once, on the client's thread. Returns an id for cancel().
  std::uint64_t send(call request, milliseconds deadline, done cb,
                     std::size_t max_answer = std::size_t{1} << 20);
  void cancel(std::uint64_t id);

private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

} // namespace troupe::http
