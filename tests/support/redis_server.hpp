#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace troupe::support {

/// A redis-server of the test's own on a free port of the loopback, in a folder of its own under the system's
/// temporary folder. Nothing is saved unless the arguments say so. Ends, and is removed, with the object.
class redis_server {
public:
  /// `args` are added to the command line and win over ours. Throws where there is no redis-server or it does
  /// not answer: a missing server fails the test. The server ends with the thread that started it.
  explicit redis_server(std::vector<std::string> args = {});
  ~redis_server();
  redis_server(const redis_server&) = delete;
  redis_server& operator=(const redis_server&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::string unix_socket() const;
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] pid_t pid() const { return pid_; }

  void kill();   ///< SIGKILL, and waits for the end
  void stop();   ///< SIGTERM, and waits for the end
  void freeze(); ///< SIGSTOP, and waits until it stands
  void thaw();   ///< SIGCONT
  /// Starts it again on the same port and folder; ends it by SIGKILL first where it runs.
  void restart();

  /// One command over a connection of its own that shares no code with the engine; the raw reply. Meant for
  /// short commands and replies. Throws where there is no answer.
  std::string raw(const std::vector<std::string>& words) const;

private:
  void start();
  void end(int signal);

  std::vector<std::string> args_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

/// A port of the loopback that nobody listened on a moment ago.
std::uint16_t free_port();

} // namespace troupe::support
