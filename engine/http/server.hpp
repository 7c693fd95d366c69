#pragma once

#include "engine/core/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace troupe::http {

struct request {
  std::string method, path, query, body;
};
struct response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// The admin server: small answers, made at once, on one thread. Header and body limits, idle and read
/// timeouts and a connection cap are built in, so that a stuck scraper costs nothing.
class server {
public:
  using handler = std::function<response(const request&)>;
  /// `listen` is host:port; port 0 lets the system choose. errc::unavailable names the address and the cause.
  static result<std::unique_ptr<server>> start(const std::string& listen, handler answer);
  ~server();
  [[nodiscard]] std::uint16_t port() const;

private:
  struct impl;
  explicit server(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::http
