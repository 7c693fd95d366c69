#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace troupe {

/// Threads for calls that block, so that none of them ever sits on an actor's thread. A job gets a thread at
/// once as long as fewer than `most` are busy; threads start when first needed. A job that never returns
/// keeps its thread: the destructor leaves such a thread behind rather than hang.
class executor {
public:
  explicit executor(std::size_t most);
  ~executor();
  void run(std::function<void()> job);
  void change(std::size_t most);
  [[nodiscard]] std::size_t busy() const;

private:
  struct shared;
  static void work(const std::shared_ptr<shared>& s);
  std::shared_ptr<shared> shared_;
};

} // namespace troupe
