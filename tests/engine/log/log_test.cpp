#include "engine/log/log.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdlib>
#include <future>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <unistd.h>

namespace troupe::log {
namespace {

using namespace std::chrono_literals;
constexpr auto patience = 20s;

/// Standard error goes into a pipe (or a pseudo-terminal) while it lives.
class captured {
public:
  enum class into { pipe, terminal };
  explicit captured(into what = into::pipe) : kept_{::dup(STDERR_FILENO)} {
    int ends[2];
    if (what == into::pipe)
      EXPECT_EQ(::pipe(ends), 0);
    else
      EXPECT_EQ(::openpty(&ends[0], &ends[1], nullptr, nullptr, nullptr), 0);
    read_ = ends[0];
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
  }
  ~captured() {
    restore();
    close_reader();
  }
  captured(const captured&) = delete;

  void restore() {
    if (kept_ < 0) return;
    ::dup2(kept_, STDERR_FILENO);
    ::close(std::exchange(kept_, -1));
  }
  void close_reader() {
    if (read_ >= 0) ::close(std::exchange(read_, -1));
  }

  /// The next line, without its end; empty if none comes.
  std::string line() {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
      if (const auto end = buffer_.find('\n', at_); end != std::string::npos) {
        auto found = buffer_.substr(at_, end - at_);
        at_ = end + 1;
        return found;
      }
      if (std::chrono::steady_clock::now() >= until || !fill(100)) return {};
    }
  }
  bool silent() {
    pollfd in{read_, POLLIN, 0};
    return at_ == buffer_.size() && ::poll(&in, 1, 0) == 0;
  }

private:
  bool fill(int wait_ms) {
    pollfd in{read_, POLLIN, 0};
    if (::poll(&in, 1, wait_ms) == 0) return true;
    buffer_.erase(0, std::exchange(at_, 0));
    char chunk[65536];
    const auto n = ::read(read_, chunk, sizeof chunk);
    if (n <= 0) return false;
    buffer_.append(chunk, static_cast<std::size_t>(n));
    return true;
  }

  int kept_, read_ = -1;
  std::string buffer_;
  std::size_t at_ = 0;
};

/// True if `work` ends in time; a hang must fail the test, not stop it.
template <class Work>
bool ends(Work work) {
  std::packaged_task<void()> task{std::move(work)};
  auto done = task.get_future();
  std::thread runner{std::move(task)};
  const bool in_time = done.wait_for(patience) == std::future_status::ready;
  if (in_time)
    runner.join();
  else
    runner.detach();
  return in_time;
}

struct Log : testing::Test {
  void SetUp() override { set_level(level::info); }
  void TearDown() override { stop(); }
};

TEST_F(Log, before_the_start_lines_go_plainly_to_standard_error) {
  captured err;
  warning("early", "Nothing is set up yet", {{"n", std::int64_t{1}}});
  const auto line = err.line();
  EXPECT_NE(line.find("WARN  Nothing is set up yet  n=1"), std::string::npos) << line;
}

TEST_F(Log, is_json_where_nobody_watches) {
  captured err;
  start(level::info, format::automatic, "shop");
  info("started", "Running", {{"actors", std::int64_t{4}}});
  const auto read = nlohmann::json::parse(err.line());
  EXPECT_EQ(read["msg"], "Running");
  EXPECT_EQ(read["event"], "started");
  EXPECT_EQ(read["app"], "shop");
  EXPECT_EQ(read["level"], "info");
  EXPECT_EQ(read["actors"], 4);
  EXPECT_EQ(read["ts"].get<std::string>().size(), std::string{"2026-01-31T12:00:00.125Z"}.size());
}

TEST_F(Log, is_for_people_and_in_colour_on_a_terminal_unless_told_otherwise) {
  ::setenv("TERM", "xterm", 1);
  ::unsetenv("NO_COLOR");
  captured err{captured::into::terminal};
  start(level::info, format::automatic, "shop");
  error("broken", "It broke");
  auto line = err.line();
  EXPECT_NE(line.find("\x1b[31mERROR"), std::string::npos) << line;
  EXPECT_EQ(line.find('{'), std::string::npos);

  ::setenv("NO_COLOR", "1", 1);
  start(level::info, format::automatic, "shop");
  error("broken", "It broke");
  line = err.line();
  ::unsetenv("NO_COLOR");
  EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
  EXPECT_NE(line.find("ERROR It broke"), std::string::npos) << line;
}

TEST_F(Log, the_format_can_be_chosen) {
  captured err;
  start(level::info, format::human, "shop");
  info("x", "for people");
  EXPECT_NE(err.line().find("INFO  for people"), std::string::npos);
  start(level::info, format::json, "shop");
  info("x", "for machines");
  EXPECT_EQ(nlohmann::json::parse(err.line())["msg"], "for machines");
}

TEST_F(Log, lines_below_the_level_are_not_written_and_the_level_can_change) {
  captured err;
  start(level::warning, format::json, "shop");
  info("x", "hidden");
  warning("x", "first");
  set_level(level::debug);
  debug("x", "second");
  set_level(level::error);
  warning("x", "hidden too");
  error("x", "third");
  for (const char* expected : {"first", "second", "third"})
    EXPECT_EQ(nlohmann::json::parse(err.line())["msg"], expected);
  stop();
  EXPECT_TRUE(err.silent());
}

TEST_F(Log, stop_writes_out_what_is_queued) {
  captured err;
  start(level::info, format::json, "shop");
  for (int i = 0; i < 200; ++i)
    info("x", std::to_string(i));
  stop();
  for (int i = 0; i < 200; ++i)
    ASSERT_EQ(nlohmann::json::parse(err.line())["msg"], std::to_string(i));
  EXPECT_TRUE(err.silent());
}

TEST_F(Log, a_line_longer_than_a_pipe_takes_at_once_arrives_whole) {
  captured err;
  start(level::info, format::json, "shop");
  const std::string text(30'000, 'x');
  info("x", text);
  EXPECT_EQ(nlohmann::json::parse(err.line())["msg"], text);
}

TEST_F(Log, a_pipe_that_nobody_reads_stops_no_writer_and_the_newest_lines_are_kept) {
  constexpr int writers = 4, each = 10'000;
  captured err;
  start(level::info, format::json, "shop");
  const auto before = dropped();
  EXPECT_TRUE(ends([] {
    std::vector<std::thread> threads;
    for (int t = 0; t < writers; ++t)
      threads.emplace_back([t] {
        for (int i = 0; i < each; ++i)
          info("x", "to a stuck pipe", {{"writer", std::int64_t{t}}, {"n", std::int64_t{i}}});
      });
    for (auto& t : threads)
      t.join();
  }));
  EXPECT_GT(dropped(), before);
  EXPECT_LT(dropped(), before + writers * each);
  info("last", "the last of all");

  // Every line either arrives or is counted as dropped; the newest is among those that arrive.
  std::uint64_t arrived = 0;
  std::set<std::pair<int, int>> seen;
  for (;;) {
    const auto line = err.line();
    ASSERT_FALSE(line.empty());
    const auto read = nlohmann::json::parse(line);
    ++arrived;
    if (read["event"] == "last") break;
    EXPECT_TRUE(seen.emplace(read["writer"], read["n"]).second);
  }
  EXPECT_EQ(arrived + dropped() - before, writers * each + 1U);
}

TEST_F(Log, a_pipe_that_nobody_reads_does_not_keep_the_process_from_stopping) {
  captured err;
  start(level::info, format::json, "shop");
  const auto before = dropped();
  for (int i = 0; i < 5000; ++i)
    info("x", "to a stuck pipe");
  EXPECT_TRUE(ends([] { stop(); }));
  EXPECT_GT(dropped(), before) << "what was not written out is not forgotten";
  EXPECT_TRUE(ends([] { info("x", "after the stop"); }));
}

TEST_F(Log, a_reader_that_went_away_neither_kills_nor_blocks) {
  captured err;
  err.close_reader();
  start(level::info, format::json, "shop");
  const auto before = dropped();
  for (int i = 0; i < 100; ++i)
    info("x", "to nobody");
  EXPECT_TRUE(ends([] { stop(); }));
  EXPECT_EQ(dropped(), before + 100);
}

TEST_F(Log, starting_stopping_and_writing_from_many_threads_at_once_is_safe) {
  captured err;
  std::atomic<bool> over{false};
  std::thread reader{[&] {
    while (!over || !err.silent())
      if (err.line().empty() && over) return;
  }};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([] {
      for (int i = 0; i < 3000; ++i)
        info("x", "busy");
    });
  threads.emplace_back([] {
    for (int i = 0; i < 20; ++i) {
      start(level::info, i % 2 == 0 ? format::json : format::human, "shop");
      set_level(i % 3 == 0 ? level::debug : level::info);
      (void)dropped();
      stop();
    }
  });
  for (auto& t : threads)
    t.join();
  stop();
  warning("x", "the end");
  over = true;
  reader.join();
}

} // namespace
} // namespace troupe::log
