#pragma once

#include <functional>
#include <string>
#include <vector>

namespace video {

/// How a child process ended.
struct child {
  enum class end {
    done,          ///< with 0
    refused,       ///< with another code, by itself
    failed,        ///< by a signal, or it could not be started
    cancelled,     ///< killed, because `cancelled` said so
    not_installed, ///< there is no such program
  };
  end how = end::failed;
  std::string output; ///< what it wrote to standard output, or the last 64 KiB of that
  std::string reason; ///< the last line it wrote to standard error, or how it ended; empty where it is done
};

/// Runs a program, looked up in PATH, and waits for its end; asks `cancelled` twenty times a second. No shell
/// sees the arguments. The child gets none of our files and sockets and no signal of our terminal, and ends
/// with us.
child run(const std::vector<std::string>& arguments, const std::function<bool()>& cancelled);

} // namespace video
