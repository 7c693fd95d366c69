#include "engine/journal/fatal_signals.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <memory>
#include <unistd.h>

namespace troupe::journal {
namespace {

constexpr std::array fatal{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

std::atomic<death_mark*> left_in{nullptr};
// What stood there before: the default, or a sanitizer's.
std::array<struct sigaction, fatal.size()> former;
pid_t owner = 0;
constinit thread_local std::atomic<std::uint32_t>* running_here = nullptr;

// Nothing here but stores and system calls that POSIX allows in a handler.
void leave_mark(death_mark& mark, int number) {
  std::uint32_t expected = runs;
  if (running_here) running_here->compare_exchange_strong(expected, guilty);
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  mark.wall_ms.store(std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000);
  mark.signal.store(static_cast<std::uint32_t>(number));
}

extern "C" void on_fatal_signal(int number, siginfo_t* about, void*) {
  const int before = errno;
  // A child that was forked and runs no program of its own yet shares the page, but not the fault.
  const bool ours = ::getpid() == owner && (about->si_code > 0 || about->si_pid == owner);
  if (auto* mark = left_in.load(); mark && ours) leave_mark(*mark, number);
  for (std::size_t i = 0; i < fatal.size(); ++i)
    if (fatal.at(i) == number) ::sigaction(number, &former.at(i), nullptr);
  // A fault happens again when this returns; what was raised has to be raised again.
  if (about->si_code <= 0) ::raise(number);
  errno = before;
}

/// One per thread. A thread that has one already, by a sanitizer or by the user, keeps it.
class second_stack {
public:
  second_stack() {
    stack_t present{};
    if (::sigaltstack(nullptr, &present) != 0 || (present.ss_flags & SS_DISABLE) == 0) return;
    memory_ = std::make_unique<std::array<char, size>>();
    stack_t wanted{};
    wanted.ss_sp = memory_->data();
    wanted.ss_size = size;
    ::sigaltstack(&wanted, nullptr);
  }
  ~second_stack() {
    if (!memory_) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
  }
  second_stack(const second_stack&) = delete;
  second_stack& operator=(const second_stack&) = delete;

private:
  static constexpr std::size_t size = std::size_t{64} << 10;
  std::unique_ptr<std::array<char, size>> memory_;
};

} // namespace

void mark_death_in(death_mark* mark) {
  static const bool installed = [] {
    struct sigaction act {};
    act.sa_sigaction = on_fatal_signal;
    act.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&act.sa_mask);
    for (std::size_t i = 0; i < fatal.size(); ++i)
      ::sigaction(fatal.at(i), &act, &former.at(i));
    return true;
  }();
  (void)installed;
  owner = ::getpid();
  left_in.store(mark);
}

void forget_mark(death_mark* mark) {
  left_in.compare_exchange_strong(mark, nullptr);
}

runs_on_this_thread::runs_on_this_thread(std::atomic<std::uint32_t>* state) : before_{running_here} {
  if (!state) return;
  static thread_local const second_stack stack;
  running_here = state;
}

runs_on_this_thread::~runs_on_this_thread() {
  running_here = before_;
}

void runs_no_more(const std::atomic<std::uint32_t>* state) noexcept {
  if (running_here == state) running_here = nullptr;
}

} // namespace troupe::journal
