#pragma once

#include "engine/core/time.hpp"
#include "engine/http/client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

/// Private to this folder: Boost stays out of the public headers.
namespace troupe::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;
using boost::system::error_code;

/// A connection to one host and port, plain or TLS, with what was read ahead.
class connection {
public:
  /// TLS verifies the certificate for `to.host` and sends the name (SNI).
  connection(asio::io_context& io, asio::ssl::context& tls, const url& to);

  [[nodiscard]] tcp::socket& socket() { return tls_ ? tls_->next_layer() : *plain_; }
  /// nullptr where it is plain.
  [[nodiscard]] asio::ssl::stream<tcp::socket>* tls() { return tls_ ? &*tls_ : nullptr; }
  /// Calls `f` with the stream to read from and write to.
  template <class F>
  void with_stream(F f) {
    if (tls_)
      f(*tls_);
    else
      f(*plain_);
  }
  void close();
  /// False if the other side closed it, or said something nobody asked for, while it was idle.
  [[nodiscard]] bool fit_for_use();
  /// Why the TLS handshake failed, if the certificate was the reason.
  [[nodiscard]] std::string certificate_problem();

  beast::flat_buffer buffer{std::size_t{128} * 1024}; ///< far more than a header or a chunk's head may take
  steady_time idle_since{};

private:
  std::optional<tcp::socket> plain_;
  std::optional<asio::ssl::stream<tcp::socket>> tls_;
};

/// Kept connections, at most `most` per host and port, the latest used first.
class idle_connections {
public:
  static constexpr std::size_t most = 1024;
  static constexpr milliseconds longest{60'000};

  void put(const std::string& key, std::unique_ptr<connection> c, steady_time now);
  /// One that seems alive, or nullptr.
  std::unique_ptr<connection> take(const std::string& key);
  /// Closes what has been idle for too long or was closed by the other side.
  void sweep(steady_time now);
  void clear() { by_key_.clear(); }
  [[nodiscard]] bool empty() const { return by_key_.empty(); }

private:
  std::unordered_map<std::string, std::vector<std::unique_ptr<connection>>> by_key_;
};

} // namespace troupe::http
