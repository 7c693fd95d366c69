#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

/// Sockets without any HTTP library between the test and the bytes.
namespace troupe::http::testing {

/// One end of a connection. Reading waits 20 s at most.
class raw_connection {
public:
  explicit raw_connection(int fd);
  ~raw_connection();
  raw_connection(const raw_connection&) = delete;

  /// Connects to 127.0.0.1.
  static int connect(std::uint16_t port);

  /// Sends the first packet and does not wait for an answer.
  static int begin_to_connect(std::uint16_t port);
  /// How that ended: an errno, 0 for well.
  int connected();

  /// False once the other side is gone.
  bool send(std::string_view bytes);
  /// A whole message, head and body by Content-Length; empty if the connection ended before.
  std::string read_message();
  /// Everything until the other side closes.
  std::string read_to_end();
  /// True when the other side closes or resets, false if it still holds after 20 s.
  bool ended();
  /// True when the other side closes in order, false if it resets or still holds after 20 s.
  bool ended_in_order();
  /// No more is sent; reading goes on.
  void finish();
  /// Ends it with a reset instead of an orderly close.
  void reset();
  void close();
  [[nodiscard]] int descriptor() const { return fd_; }
  void interrupt(); ///< from another thread: makes a waiting read return

private:
  bool fill();
  [[nodiscard]] int error() const; ///< of the socket, an errno
  std::mutex lock_;
  int fd_;
  std::string buffer_;
};

/// Listens on a free port of 127.0.0.1 and runs `script` for every connection on a thread of its own.
class raw_server {
public:
  using script = std::function<void(raw_connection&, int number)>;
  explicit raw_server(script s);
  ~raw_server();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Connections accepted so far.
  [[nodiscard]] int connections() const { return accepted_; }

private:
  void accept();

  script script_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> accepted_{0};
  std::atomic<bool> stopping_{false};
  std::list<raw_connection> open_; ///< of the acceptor until it has ended
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

} // namespace troupe::http::testing
