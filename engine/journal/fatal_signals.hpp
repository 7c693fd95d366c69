#pragma once

#include <atomic>
#include <cstdint>

namespace troupe::journal {

/// What a dying process leaves of its death. Lies in a mapped file, so that it outlives the process.
struct death_mark {
  std::atomic<std::uint32_t> signal{0}; ///< 0: it did not die by its own fault
  std::atomic<std::int64_t> wall_ms{0};
};

/// A call in the journal.
enum call_state : std::uint32_t { nothing_runs, runs, guilty };

/// From now on a SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT that this process raised itself is left in
/// `mark`, and the call whose thread raised it becomes `guilty`; then the process dies as it would have
/// without. A signal that somebody sent is no fault of a call.
void mark_death_in(death_mark* mark);
/// No mark is left there any more.
void forget_mark(death_mark* mark);

/// For its lifetime, this thread runs that call (nullptr: it is not in the journal). Gives the thread a
/// second stack for the handlers, so that a stack that overflows is no obstacle.
class runs_on_this_thread {
public:
  explicit runs_on_this_thread(std::atomic<std::uint32_t>* state);
  ~runs_on_this_thread();
  runs_on_this_thread(const runs_on_this_thread&) = delete;
  runs_on_this_thread& operator=(const runs_on_this_thread&) = delete;

private:
  std::atomic<std::uint32_t>* before_;
};

/// The call is over while its thread may still be in that scope: what it does from now on is not the call's.
void runs_no_more(const std::atomic<std::uint32_t>* state) noexcept;

} // namespace troupe::journal
