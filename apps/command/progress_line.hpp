#pragma once

#include "engine/deadletters/resolver.hpp"

#include <chrono>
#include <mutex>
#include <string>

namespace troupe {

/// ` 61% 1,830/3,000  305/s  eta 4s  skipped 12`, as of work that began `seconds` ago.
std::string progress_text(const deadletters::progress& now, double seconds);

/// Progress on standard error: a line that is written over on a terminal, one every ten seconds otherwise.
class progress_line {
public:
  progress_line();
  ~progress_line();
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  void show(const deadletters::progress& now);
  /// A line of its own. From any thread.
  void say(const std::string& what);

private:
  using clock = std::chrono::steady_clock;
  std::mutex lock_;
  bool terminal_;
  bool drawn_ = false;
  clock::time_point began_ = clock::now();
  clock::time_point next_;
};

} // namespace troupe
