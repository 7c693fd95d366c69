#pragma once

#include "engine/core/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace troupe::http {

struct request {
  std::string method, path, query, body;
  std::string peer;                                         ///< the address of who asks, without the port
  std::vector<std::pair<std::string, std::string>> headers; ///< in their order, names as they were written

  /// The first of this name, whatever its case; null where there is none.
  [[nodiscard]] const std::string* header(std::string_view name) const;
};
struct response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {}; ///< further ones
};

/// An answer without a length, which goes on until somebody ends it: events for a browser. From any thread.
class stream {
public:
  virtual ~stream() = default; ///< ends it
  /// Hands over what comes next. False where nobody reads any more: the asker is gone, the server stops, or
  /// so much waits already that it reads too slowly, and its connection is closed.
  virtual bool write(std::string_view bytes) = 0;
  /// Nothing more comes; what waits is written.
  virtual void end() = 0;
};

/// The way back to one asker. Answers once, from any thread; let go without an answer, it says 503, so that
/// whoever dies with it keeps nobody waiting.
class reply {
public:
  using way = std::function<void(response)>;
  using opening = std::function<std::shared_ptr<stream>(response head, std::size_t most_waiting)>;
  explicit reply(way back, opening open = nullptr) : back_{std::move(back)}, open_{std::move(open)} {}
  reply(reply&& other) noexcept
      : back_{std::exchange(other.back_, nullptr)}, open_{std::exchange(other.open_, nullptr)} {}
  reply& operator=(reply&&) = delete;
  ~reply();
  void operator()(response answer);
  /// Answers with a head, and what is written to the stream from then on; at most so many bytes wait to be
  /// read. nullptr where this was answered before.
  std::shared_ptr<stream> open(response head, std::size_t most_waiting);

private:
  way back_;
  opening open_;
};

struct server_options {
  std::size_t header_bytes = 8 * 1024;
  std::size_t body_bytes = std::size_t{64} * 1024;
  std::size_t connections = 256;          ///< beyond it the one longest without a request is closed
  std::chrono::milliseconds read{10'000}; ///< a whole request, from its first byte
  std::chrono::milliseconds idle{75'000};
  /// At a stop: how long a connection is waited for that has not asked yet, or whose request is arriving.
  std::chrono::milliseconds grace{1'000};
  /// At a stop: the same for one that had an answer before, and may bring one more request.
  std::chrono::milliseconds last_look{250};
  /// At a stop: how long one is read that is closed on our side already, so that a request on its way is not
  /// met with a reset.
  std::chrono::milliseconds linger{250};
  /// What is said where a request is refused before a handler sees it; by default the sentence as text.
  std::function<response(int status, std::string detail)> refusal;
};

/// An HTTP/1.1 server on one thread. What is no strict HTTP (bare line feeds, folded headers, two lengths,
/// bad chunks) is answered 400 and its connection closed; the limits answer 413 and 431.
class server {
public:
  /// Called on the server's thread: it must not block.
  using handler = std::function<void(request, reply)>;
  /// `listen` is host:port; port 0 lets the system choose. errc::unavailable names the address and the cause.
  static result<std::unique_ptr<server>> start(const std::string& listen, server_options options,
                                               handler answer);
  ~server(); ///< requests under way are not answered any more
  [[nodiscard]] std::uint16_t port() const;
  /// Begins to stop, within about `grace` and the time that answers take. Connections that the system has
  /// made are taken, then the address is closed. What arrives in time is answered, each answer as the last of
  /// its connection; of what arrives only in part, the answer is 503. Streams end with what was written to
  /// them. Bytes that were sent before their client could know of the end are read, not answered with a
  /// reset.
  void stop();
  void wait_closed();                 ///< after `stop`: until the address is free, which takes milliseconds
  [[nodiscard]] bool stopped() const; ///< after `stop`: whether no connection is left

private:
  struct impl;
  server(std::shared_ptr<impl>, std::thread);
  std::shared_ptr<impl> impl_;
  std::thread thread_;
};

/// For small answers that are there at once; what throws is answered 500.
server::handler at_once(std::function<response(const request&)> answer);

} // namespace troupe::http
