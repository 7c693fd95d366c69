#include "engine/log/log.hpp"

#include "engine/core/time.hpp"
#include "engine/log/line.hpp"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

namespace troupe::log {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t queue_lines = 8192;
constexpr auto drain_for = 1s;
constexpr auto let_go_for = 500ms;

/// Writes it all, or says that it could not: the other end is gone, or `give_up` said so while it was stuck.
/// A pipe that poll() calls writable takes PIPE_BUF bytes at once, so that no write() here waits for a
/// reader.
template <class GiveUp>
bool write_whole(std::string_view text, GiveUp give_up) {
  while (!text.empty()) {
    pollfd to{STDERR_FILENO, POLLOUT, 0};
    const int ready = ::poll(&to, 1, 50);
    if (ready == 0) {
      if (give_up()) return false;
      continue;
    }
    if (ready < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    const ssize_t n = ::write(STDERR_FILENO, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    if (n > 0)
      text.remove_prefix(static_cast<std::size_t>(n));
    else if (errno != EINTR && errno != EAGAIN)
      return false;
  }
  return true;
}

class stderr_sink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
public:
  std::atomic<std::uint64_t> handled{0}, lost{0};
  std::atomic<bool> abandoned{false};

private:
  void sink_it_(const spdlog::details::log_msg& msg) override {
    const auto text = std::string_view{msg.payload.data(), msg.payload.size()};
    if (abandoned || !write_whole(text, [this] { return abandoned.load(); })) ++lost;
    ++handled;
  }
  void flush_() override {}
};

/// Signals are for the threads that wait for them. SIGPIPE too: a reader that went away is an error of
/// write().
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

/// The queue, its thread and the sink it feeds.
class pipeline {
public:
  pipeline()
      : pool_{std::make_shared<spdlog::details::thread_pool>(queue_lines, 1, block_signals)},
        sink_{std::make_shared<stderr_sink>()}, logger_{std::make_shared<spdlog::async_logger>(
                                                    "troupe", sink_, pool_,
                                                    spdlog::async_overflow_policy::overrun_oldest)} {
    logger_->set_level(spdlog::level::trace);
    logger_->set_error_handler([](const std::string&) {});
  }

  void post(std::string_view line) {
    posted_.fetch_add(1, std::memory_order_relaxed);
    logger_->log(spdlog::level::info, spdlog::string_view_t{line.data(), line.size()});
  }

  [[nodiscard]] std::uint64_t dropped() const { return pool_->overrun_counter() + sink_->lost; }

  /// True once every line was written, lost or overrun.
  [[nodiscard]] bool settled_within(milliseconds wait) const {
    const auto until = std::chrono::steady_clock::now() + wait;
    while (sink_->handled + pool_->overrun_counter() < posted_) {
      if (std::chrono::steady_clock::now() >= until) return false;
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }
  void abandon() { sink_->abandoned = true; }

private:
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<stderr_sink> sink_;
  std::shared_ptr<spdlog::async_logger> logger_;
  std::atomic<std::uint64_t> posted_{0};
};

struct global {
  std::atomic<level> least{level::info};
  std::shared_mutex lock; ///< writers of lines share it
  std::unique_ptr<pipeline> lines;
  bool json = false, colour = false;
  std::string app;
  std::uint64_t dropped_before = 0;
};

/// Never destroyed: at exit other threads may still log, and a stuck standard error must not keep the
/// process.
global& state() {
  static global& one = *new global;
  return one;
}

bool wants_colour() {
  const char* no = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (no == nullptr || *no == '\0') && !(term != nullptr && std::string_view{term} == "dumb");
}

} // namespace

void start(level least, format as, std::string app) {
  auto& s = state();
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  const std::unique_lock hold{s.lock};
  s.least = least;
  s.json = as == format::json || (as == format::automatic && !terminal);
  s.colour = terminal && wants_colour();
  s.app = std::move(app);
  if (!s.lines) s.lines = std::make_unique<pipeline>();
}

void set_level(level least) {
  state().least = least;
}

void stop() {
  auto& s = state();
  std::unique_ptr<pipeline> lines;
  {
    const std::unique_lock hold{s.lock};
    lines = std::move(s.lines);
  }
  if (!lines) return;
  const bool drained = lines->settled_within(drain_for);
  lines->abandon();
  const bool settled = drained || lines->settled_within(let_go_for);
  {
    const std::unique_lock hold{s.lock};
    s.dropped_before += lines->dropped();
  }
  // Its thread hangs inside write() (a dead disk): joining it would hang too.
  if (!settled) (void)lines.release();
}

void write(level at, std::string_view event, std::string_view text, std::initializer_list<field> fields) {
  auto& s = state();
  if (at < s.least.load(std::memory_order_relaxed)) return;
  const std::shared_lock hold{s.lock};
  const entry e{wall_ms(), at, event, text, s.app, {fields.begin(), fields.size()}};
  if (s.lines) {
    s.lines->post(s.json ? json_line(e) : human_line(e, s.colour));
    return;
  }
  (void)write_whole(human_line(e, false), [] { return true; });
}

std::uint64_t dropped() {
  auto& s = state();
  const std::shared_lock hold{s.lock};
  return s.dropped_before + (s.lines ? s.lines->dropped() : 0);
}

} // namespace troupe::log
