#include "engine/journal/crash_memory.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace troupe::journal {
namespace {

record event_at(std::int64_t offset) {
  record e;
  e.topic = std::make_shared<const std::string>("orders");
  e.partition = 2;
  e.offset = offset;
  e.timestamp_ms = 1000 + offset;
  return e;
}

call_place place_of(std::int64_t offset) {
  return {"group", "orders", 2, offset, 1000 + offset};
}

/// Deaths are real ones, of children.
struct CrashMemory : testing::Test {
  const std::string folder =
      std::filesystem::temp_directory_path() / ("crash-memory-" + std::to_string(::getpid()) + "/deep");
  void TearDown() override { std::filesystem::remove_all(std::filesystem::path{folder}.parent_path()); }

  std::unique_ptr<crash_memory> open() const {
    auto made = crash_memory::open(folder, "shop");
    EXPECT_TRUE(made) << made.failure().detail;
    return std::move(made).value();
  }
  /// The signal that ended a child which did this with a journal of its own.
  int die(const std::function<void(call_journal&)>& doing) const {
    const auto child = ::fork();
    if (child == 0) {
      const rlimit none{0, 0};
      ::setrlimit(RLIMIT_CORE, &none);
      const auto memory = crash_memory::open(folder, "shop");
      if (!memory) ::_exit(1);
      doing(*(*memory)->calls());
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
  }
  std::map<std::int64_t, unsigned> crashes() const {
    std::map<std::int64_t, unsigned> all;
    const auto known = open()->of_group("group").value();
    for (const auto& [call, history] : known) {
      EXPECT_EQ(call, place_of(call.offset));
      all[call.offset] = history.crashes;
    }
    return all;
  }
};

void run_with(call_journal& calls, std::int64_t offset, const std::function<void()>& what,
              bool alone = false) {
  const auto note = calls.note("group", event_at(offset), alone);
  const runs_on_this_thread here{note->state()};
  what();
}

using counted = std::map<std::int64_t, unsigned>;

TEST_F(CrashMemory, BlamesTheCallWhoseThreadRaisedTheSignal) {
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL})
    EXPECT_EQ(die([&](call_journal& calls) {
                const auto other = calls.note("group", event_at(1), false);
                std::thread{[&] { run_with(calls, number, [&] { ::raise(number); }); }}.join();
              }),
              number);
  EXPECT_EQ(die([](call_journal& calls) { run_with(calls, SIGABRT, [] { std::abort(); }); }), SIGABRT);
  EXPECT_EQ(crashes(), (counted{{SIGSEGV, 1}, {SIGBUS, 1}, {SIGFPE, 1}, {SIGILL, 1}, {SIGABRT, 1}}));
}

// A frame that the compiler can neither drop nor reuse.
[[gnu::noinline]] std::size_t deeper(const volatile char* from) {
  volatile char frame[4096];
  frame[0] = *from;
  if (frame[0] == 0) return 0; // never
  return deeper(frame) + static_cast<std::size_t>(frame[0]);
}

TEST_F(CrashMemory, NoticesAStackThatOverflows) {
  EXPECT_EQ(die([](call_journal& calls) {
              std::thread{[&] {
                run_with(calls, 5, [] {
                  const volatile char start = 'x';
                  if (deeper(&start) == 1) ::_exit(2);
                });
              }}.join();
            }),
            SIGSEGV);
  EXPECT_EQ(crashes(), (counted{{5, 1}}));
}

TEST_F(CrashMemory, SuspectsAllThatRanWhereTheThreadIsNoCalls) {
  const auto crash = [&](bool alone) {
    EXPECT_EQ(die([&](call_journal& calls) {
                const auto one = calls.note("group", event_at(1), alone);
                const auto two = calls.note("group", event_at(2), false);
                const auto over = calls.note("group", event_at(3), false);
                over->end();
                ::raise(SIGSEGV);
              }),
              SIGSEGV);
  };
  crash(false);
  EXPECT_EQ(crashes(), (counted{{1, 1}, {2, 1}}));
  crash(true);
  EXPECT_EQ(crashes(), (counted{{1, 2}, {2, 1}})) << "the one that its actor ran alone";
  crash(true);
  EXPECT_EQ(crashes(), (counted{{1, 3}, {2, 1}}));
  crash(false);
  EXPECT_EQ(crashes(), (counted{{1, 3}, {2, 2}}));
  crash(false);
  EXPECT_EQ(crashes(), (counted{{1, 3}, {2, 2}})) << "one of two is never dead-lettered for that";
}

TEST_F(CrashMemory, BlamesNoneForADeathFromOutside) {
  for (const int number : {SIGKILL, SIGTERM, SIGABRT, SIGSEGV}) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const auto child = ::fork();
    if (child == 0) {
      const auto memory = crash_memory::open(folder, "shop");
      run_with(*(*memory)->calls(), 1, [&] {
        if (::write(ready[1], "x", 1) != 1) ::_exit(1);
        for (;;)
          ::pause();
      });
    }
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    ::kill(child, number);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(WTERMSIG(status), number);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  EXPECT_EQ(crashes(), counted{});
}

TEST_F(CrashMemory, BlamesNoneForACallOfNoEvent) {
  EXPECT_EQ(die([](call_journal& calls) {
              const auto innocent = calls.note("group", event_at(1), true);
              const auto other = calls.note_other();
              const runs_on_this_thread here{other->state()};
              std::abort();
            }),
            SIGABRT);
  EXPECT_EQ(crashes(), counted{});
}

TEST_F(CrashMemory, CallThatIsOverIsNotBlamedForWhatItsThreadDoesNext) {
  EXPECT_EQ(die([](call_journal& calls) {
              const auto runs_on = calls.note("group", event_at(1), false);
              const auto over = calls.note("group", event_at(2), false);
              const runs_on_this_thread here{over->state()};
              over->end();
              ::raise(SIGSEGV);
            }),
            SIGSEGV);
  EXPECT_EQ(crashes(), (counted{{1, 1}})) << "suspected, since no thread is guilty";
}

TEST_F(CrashMemory, NeighbourLearnsOfADeathWhileItLives) {
  const auto neighbour = open();
  EXPECT_TRUE(neighbour->of_group("group").value().empty());
  die([](call_journal& calls) { run_with(calls, 4, [] { ::raise(SIGSEGV); }); });
  EXPECT_EQ(neighbour->of_group("group").value().at(place_of(4)).crashes, 1U);
  EXPECT_EQ(neighbour->of_group("group").value().at(place_of(4)).crashes, 1U) << "counted once";
  EXPECT_TRUE(neighbour->of_group("another").value().empty());
  die([](call_journal& calls) { run_with(calls, 4, [] { ::raise(SIGSEGV); }); });
  EXPECT_EQ(neighbour->of_group("group").value().at(place_of(4)).crashes, 2U);
}

TEST_F(CrashMemory, ForgetsWhatIsDone) {
  die([](call_journal& calls) { run_with(calls, 4, [] { ::raise(SIGSEGV); }); });
  die([](call_journal& calls) { run_with(calls, 5, [] { ::raise(SIGSEGV); }); });
  EXPECT_TRUE(open()->forget({place_of(4), place_of(99)}));
  EXPECT_EQ(crashes(), (counted{{5, 1}}));
}

TEST_F(CrashMemory, HoldsMoreCallsThanItHasPlacesFor) {
  const auto memory = open();
  std::vector<std::shared_ptr<call_note>> notes;
  for (std::int64_t n = 0; n < 5000; ++n)
    notes.push_back(memory->calls()->note("group", event_at(n), false));
  EXPECT_NE(notes.front(), nullptr);
  EXPECT_EQ(notes.back(), nullptr) << "such a call runs without a note";
  notes.clear();
  EXPECT_NE(memory->calls()->note("group", event_at(1), false), nullptr);
  EXPECT_EQ(memory->calls()->note(std::string(300, 'g'), event_at(1), false), nullptr);
}

TEST_F(CrashMemory, SurvivesForeignFiles) {
  std::filesystem::create_directories(folder);
  std::ofstream{folder + "/shop.calls.0"} << "not ours";
  std::ofstream{folder + "/shop.calls.1"} << std::string(4 << 20, '\xff');
  std::ofstream{folder + "/shop.crashes"} << "nor this";
  std::filesystem::create_directory(folder + "/shop.calls.x");
  EXPECT_EQ(crashes(), counted{});
  die([](call_journal& calls) { run_with(calls, 4, [] { ::raise(SIGSEGV); }); });
  EXPECT_EQ(crashes(), (counted{{4, 1}}));
}

TEST_F(CrashMemory, FolderThatCannotBeUsedIsNamedWithTheRemedy) {
  const auto made = crash_memory::open("/proc/nowhere", "shop");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.failure().code, errc::bad_config);
  EXPECT_NE(made.failure().detail.find("/proc/nowhere"), std::string::npos);
  EXPECT_NE(made.failure().detail.find("state"), std::string::npos);
}

} // namespace
} // namespace troupe::journal
