#pragma once

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/redis/wire_command.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace troupe::redis {

/// redis[s]://[[user]:password@]host[:port][/db] or unix:///path?db=N
struct address {
  std::string host = "localhost";
  std::uint16_t port = 6379;
  std::string user, password;
  int database = 0;
  bool tls = false;
  std::string unix_path;
  /// Without the password.
  [[nodiscard]] std::string shown() const;
};
result<address> parse_url(const std::string& url);

struct reply {
  enum class type { nil, text, integer, list, failure };
  type kind = type::nil;
  std::string text; ///< of text and failure ("WRONGTYPE …")
  std::int64_t integer = 0;
  std::vector<reply> items;
};

using command = std::vector<std::string>;

/// One connection with a thread of its own. Calls from all threads are pipelined; it reconnects with backoff.
/// hiredis formats and parses; the socket is ours, so that TLS needs no newer hiredis, deadlines are ours
/// and a dead peer raises no signal.
class client {
public:
  using replies = std::vector<reply>;
  using callback = std::function<void(result<replies>)>;

  /// Connects lazily. `timeout` bounds connecting, and each batch of commands from write to last reply.
  static std::shared_ptr<client> open(address to, milliseconds timeout = milliseconds{3000});
  ~client();

  /// Sends the commands back to back and calls `done` once, on the client's thread, with a reply for each
  /// (failures of single commands among them). errc::unavailable: nothing was sent; errc::timeout: something
  /// was, and its effect is unknown. Fails fast while the server is away.
  void send(const std::vector<command>& commands, callback done);
  /// One command that is written already.
  void send(wire_command one, callback done);
  /// The same, waiting: never on an actor's thread.
  result<replies> call(const std::vector<command>& commands);
  /// One command; Redis's own refusal is errc::refused with its text.
  void ask(command one, std::function<void(result<reply>)> done);
  /// The same, waiting: never on an actor's thread.
  result<reply> ask(command one);

  /// Whether the last exchange worked.
  [[nodiscard]] bool up() const;

private:
  struct impl;
  explicit client(std::shared_ptr<impl>);
  std::shared_ptr<impl> impl_;
};

} // namespace troupe::redis
