#pragma once

#include "engine/core/result.hpp"

#include <memory>
#include <string>

#include <sys/types.h>

namespace troupe {

/// A redis-server child on a free port of the loopback, without persistence; ends with this object.
class demo_redis {
public:
  static result<std::unique_ptr<demo_redis>> start();
  ~demo_redis();
  [[nodiscard]] std::string url() const;

private:
  demo_redis(pid_t pid, unsigned short port) : pid_{pid}, port_{port} {}
  pid_t pid_;
  unsigned short port_;
};

} // namespace troupe
