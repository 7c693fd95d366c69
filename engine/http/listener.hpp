#pragma once

#include "engine/http/session.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>

/// Private to this folder: Boost stays out of the public headers.
namespace troupe::http {

/// Makes sessions of the connections to one address. Of the server's thread once it accepts.
class listener {
public:
  listener(asio::io_context& io, floor& on) : acceptor_{io}, pause_{io}, on_{on} {}

  error_code listen_on(const tcp::endpoint& at);
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  void accept();
  /// Takes the connections that the system has accepted already, then closes the address and calls `closed`.
  void stop(std::function<void()> closed);
  void close();

private:
  bool close_one();
  void admit(tcp::socket socket);
  void take_backlog();

  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  floor& on_;
  bool stopping_ = false;
};

} // namespace troupe::http
