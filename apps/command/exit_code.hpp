#pragma once

#include "engine/core/result.hpp"

namespace troupe::exit_code {

constexpr int done = 0, check_failed = 1, usage = 64, unavailable = 69, bug = 70, deadline = 75, config = 78,
              interrupted = 130;

inline int of(const error& e) {
  switch (e.code) {
  case errc::usage:
    return usage;
  case errc::bad_config:
    return config;
  case errc::unavailable:
  case errc::timeout:
  case errc::refused:
    return unavailable;
  case errc::too_large:
  case errc::conflict:
  case errc::broken:
    return bug;
  }
  return bug;
}

} // namespace troupe::exit_code
