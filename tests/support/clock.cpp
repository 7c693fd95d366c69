// A library to be loaded before all others (LD_PRELOAD): the wall clock of the process is off by as many
// nanoseconds as stand in the file named by TROUPE_CLOCK, eight bytes, read at each call. A wait until a
// time of the wall clock ends when that clock says so, as after a step of the system's own.
//
// Nothing here looks up the functions it stands for: that would allocate, and allocators ask for the time.

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <unistd.h>

namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t slice = second / 50; ///< how soon a waiting thread hears of a jump

const volatile std::int64_t* ahead = nullptr;

[[gnu::constructor]] void map_offset() {
  const char* path = std::getenv("TROUPE_CLOCK");
  const int file = path ? ::open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void* at = ::mmap(nullptr, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
  ::close(file);
  if (at != MAP_FAILED) ahead = static_cast<const volatile std::int64_t*>(at);
}

std::int64_t nanoseconds(const timespec& t) {
  return t.tv_sec * second + t.tv_nsec;
}

timespec moved(timespec t, std::int64_t by) {
  const auto at = nanoseconds(t) + by;
  return {at / second, at % second};
}

timespec true_time() {
  timespec t{};
  ::syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
  return t;
}

timespec wall_time() {
  return moved(true_time(), ahead ? *ahead : 0);
}

} // namespace

extern "C" {

int clock_gettime(clockid_t which, timespec* out) noexcept {
  if (which != CLOCK_REALTIME) return static_cast<int>(::syscall(SYS_clock_gettime, which, out));
  *out = wall_time();
  return 0;
}

int timespec_get(timespec* out, int base) noexcept {
  *out = wall_time();
  return base;
}

time_t time(time_t* out) noexcept {
  const auto now = wall_time().tv_sec;
  if (out) *out = now;
  return now;
}

int gettimeofday(timeval* out, void*) noexcept {
  const auto now = wall_time();
  *out = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
  const auto left = nanoseconds(*until) - nanoseconds(wall_time());
  if (left <= 0) return ETIMEDOUT;
  const auto turn = moved(true_time(), left < slice ? left : slice);
  const int woke = ::pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, &turn);
  // Waiting on would miss what was signalled while the mutex was taken again; whoever waits looks again
  // whenever it is woken.
  return woke == ETIMEDOUT ? 0 : woke;
}

// What glibc's does (nptl/cnd_timedwait.c), but by the clock above.
int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
  switch (pthread_cond_timedwait(reinterpret_cast<pthread_cond_t*>(condition),
                                 reinterpret_cast<pthread_mutex_t*>(mutex), until)) {
  case 0:
    return thrd_success;
  case ETIMEDOUT:
    return thrd_timedout;
  default:
    return thrd_error;
  }
}

} // extern "C"
