#pragma once

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/redis/client.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace troupe::redis {

/// A connected byte stream whose calls never wait: only `wait` does, until a deadline.
class transport {
public:
  enum class state { moved, want_read, want_write, closed };
  struct outcome {
    state what = state::moved;
    std::size_t bytes = 0;
    std::string problem; ///< of closed
  };

  virtual ~transport() = default;
  virtual outcome write(std::string_view bytes) = 0;
  virtual outcome read(char* into, std::size_t room) = 0;
  /// False when the deadline passed before the socket was ready.
  virtual bool wait(bool to_read, bool to_write, steady_time deadline) = 0;
  /// Whether the other side closed it, or sent what nobody asked for, while nothing was going on.
  virtual bool stale() = 0;

  /// Connects, with the TLS handshake where it is asked for. errors: unavailable.
  static result<std::unique_ptr<transport>> connect(const address& to, steady_time deadline);
};

} // namespace troupe::redis
