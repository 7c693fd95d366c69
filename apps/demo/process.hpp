#pragma once

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace demo {

/// A child process. It ends with this object, and with this process, however that ends.
class process {
public:
  struct command {
    std::vector<std::string> words; ///< the program, by its path or in PATH, first
    std::vector<std::pair<std::string, std::string>> environment; ///< added to ours
    std::string output; ///< the file that standard output and error go to, appended
  };
  static troupe::result<std::unique_ptr<process>> start(const command& what);
  ~process();
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// How it ended: the exit code, or the negative number of the signal; nothing while it runs.
  std::optional<int> ended();
  void terminate();
  /// True if it ended in time.
  bool wait(troupe::milliseconds at_most);

private:
  explicit process(pid_t pid) : pid_{pid} {}
  pid_t pid_;
  std::optional<int> ended_;
};

/// This port of the loopback, or another one where it is taken; 0 asks for any.
unsigned short free_port(unsigned short wanted = 0);

} // namespace demo
