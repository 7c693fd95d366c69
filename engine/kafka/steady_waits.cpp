// librdkafka waits for its queues until a time of the wall clock. While that clock is set back, by an hour
// say, a wait that is under way lasts an hour longer: no heartbeat, no reconnection, no timer of that client
// (librdkafka#2145, open as of 2.14). So the function that it waits by stands here once more and means the
// time that is left. A program that links librdkafka dynamically uses this one before the C library's.
//
// glibc's C11 types are its POSIX ones by another name (nptl/cnd_timedwait.c), which the sizes hold it to.
// With another C library, or a librdkafka built with threads of its own, this stands unused.

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <pthread.h>
#include <threads.h>

#if defined(__GLIBC__)

static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t) && sizeof(mtx_t) == sizeof(pthread_mutex_t));

namespace {

constexpr std::int64_t second = 1'000'000'000;

std::int64_t nanoseconds(const timespec& t) {
  return t.tv_sec * second + t.tv_nsec;
}

std::int64_t now(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return nanoseconds(t);
}

} // namespace

extern "C" int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
  const auto end = now(CLOCK_MONOTONIC) + nanoseconds(*until) - now(CLOCK_REALTIME);
  if (end < 0) return thrd_timedout;
  const timespec steady{end / second, end % second};
  switch (::pthread_cond_clockwait(reinterpret_cast<pthread_cond_t*>(condition),
                                   reinterpret_cast<pthread_mutex_t*>(mutex), CLOCK_MONOTONIC, &steady)) {
  case 0:
    return thrd_success;
  case ETIMEDOUT:
    return thrd_timedout;
  default:
    return thrd_error;
  }
}

#endif
