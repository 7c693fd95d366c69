#include "engine/flow/offset_ledger.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace troupe::flow {
namespace {

struct event {
  std::int64_t offset;
  std::size_t bytes;
};

/// What a broker holds for a partition's group, and what that says about an offset.
struct committed {
  std::int64_t offset = 0;
  std::string metadata;
  std::vector<offset_run> runs;

  [[nodiscard]] bool covers(std::int64_t o) const {
    if (o < offset) return true;
    for (const auto& r : runs)
      if (r.begin <= o && o < r.end) return true;
    return false;
  }
};

/// One partition with a ledger in front of it, and the same kept naively: sets of offsets.
class simulation {
public:
  simulation(std::uint64_t seed, window_limits limits, std::size_t length, recording what = recording::runs)
      : random_{seed}, limits_{limits}, what_{what} {
    std::int64_t at = static_cast<std::int64_t>(random_() % 50);
    for (std::size_t i = 0; i < length; ++i) {
      log_.push_back({at, 1 + random_() % 40});
      at += chance(20) ? 1 + static_cast<std::int64_t>(random_() % 300) : 1;
    }
    start();
  }

  std::uint64_t roll(std::uint64_t below) { return random_() % below; }
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  [[nodiscard]] bool read_all() const { return next_ == log_.size(); }
  [[nodiscard]] bool idle() const { return slots_.empty() && !taken_; }
  [[nodiscard]] std::size_t redelivered() const { return redelivered_; }

  void read() {
    if (read_all() || !ledger_->open()) return;
    const auto& e = log_[next_++];
    const auto s = ledger_->admit(e.offset, e.bytes);
    ASSERT_EQ(s.has_value(), !at_start_.covers(e.offset)) << "offset " << e.offset;
    if (!s) {
      finished_.insert(e.offset);
      return;
    }
    for (const auto& [o, other] : slots_)
      ASSERT_NE(other, *s) << "two events have one place";
    slots_[e.offset] = *s;
    if (!ever_read_.insert(e.offset).second) ++redelivered_;
  }

  void finish(std::size_t which) {
    if (slots_.empty()) return;
    const auto at = std::next(slots_.begin(), static_cast<std::ptrdiff_t>(which % slots_.size()));
    const auto held = what_ == recording::prefix && chance(50) ? random_() % 60 : 0;
    ledger_->finish(at->second, held);
    if (held > 0) held_[at->first] = held;
    finished_.insert(at->first);
    slots_.erase(at);
    ASSERT_EQ(ledger_->unfinished(), slots_.size());
    if (!slots_.empty()) {
      ASSERT_EQ(ledger_->position(), slots_.begin()->first);
    }
  }

  void take() {
    const bool may = !taken_;
    const auto s = ledger_->take_commit();
    if (!may) {
      ASSERT_FALSE(s);
      return;
    }
    if (!s) return;
    ASSERT_LE(s->metadata.size(), metadata_limit);
    taken_ = committed{s->offset, s->metadata, decode_metadata(s->metadata, s->offset)};
    finished_when_taken_ = finished_;
    ASSERT_EQ(taken_->runs.empty(), s->metadata.empty());
    if (what_ == recording::prefix) {
      ASSERT_TRUE(s->metadata.empty());
      ASSERT_EQ(s->offset, slots_.empty() ? log_[next_ - 1].offset + 1 : slots_.begin()->first);
    }
    for (std::size_t i = 0; i < next_; ++i) {
      const auto o = log_[i].offset;
      if (taken_->covers(o)) {
        ASSERT_TRUE(done(o)) << o << " is unfinished, and the commit at " << s->offset << " covers it";
      } else if (records_all()) {
        ASSERT_FALSE(done(o)) << o << " is finished and neither committed nor recorded";
      }
    }
    // Of what was not read again yet, only what the former life recorded.
    for (std::size_t i = next_; i < log_.size(); ++i)
      if (taken_->covers(log_[i].offset)) {
        ASSERT_TRUE(at_start_.covers(log_[i].offset));
      }
  }

  enum class answered { yes, no, lost }; ///< lost: the broker took it, and the ledger hears that it failed
  void answer(answered how) {
    if (!taken_) return;
    ledger_->commit_ended(how == answered::yes);
    if (how != answered::no) {
      ASSERT_GE(taken_->offset, broker_.offset) << "a commit went back";
      broker_ = *taken_;
      finished_when_taken_by_broker_ = finished_when_taken_;
    }
    if (how == answered::yes) acknowledged_ = *taken_;
    taken_.reset();
  }
  answered some_answer() {
    const auto n = roll(100);
    return n < 65 ? answered::yes : n < 85 ? answered::no : answered::lost;
  }

  /// Whatever was in memory is gone; a new ledger reads what the broker has.
  void crash() {
    for (const auto o : ever_read_) {
      if (records_all()) {
        ASSERT_EQ(broker_.covers(o), finished_when_taken_by_broker_.contains(o))
            << "what comes again is exactly what was not finished when the last commit that the broker has "
               "was taken: "
            << o;
      } else if (broker_.covers(o)) {
        ASSERT_TRUE(finished_when_taken_by_broker_.contains(o)) << o;
      }
    }
    std::size_t again = 0;
    for (const auto o : ever_read_)
      if (!broker_.covers(o)) ++again;
    if (all_fit()) {
      ASSERT_LE(again, limits_.events) << "a crash redelivers at most the window";
    }
    start();
  }

  /// The window is exactly what was read and is not recorded by the last acknowledged commit.
  void check_window() {
    std::size_t events = 0;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < next_; ++i)
      if (!acknowledged_.covers(log_[i].offset) && log_[i].offset >= at_start_.offset) {
        ++events;
        bytes += log_[i].bytes;
        if (const auto held = held_.find(log_[i].offset); held != held_.end()) bytes += held->second;
      }
    ASSERT_EQ(ledger_->room(), events < limits_.events ? limits_.events - events : 0);
    ASSERT_EQ(ledger_->open(), events < limits_.events && bytes < limits_.bytes);
    if (all_fit()) {
      ASSERT_LE(events, limits_.events);
    }
  }

  void come_to_an_end() {
    while (!read_all() || !slots_.empty() || acknowledged_.offset <= log_.back().offset) {
      const auto before = std::tuple{next_, slots_.size(), acknowledged_.offset};
      const auto runs = acknowledged_.runs;
      read();
      finish(roll(1000));
      answer(answered::yes);
      take();
      answer(answered::yes);
      if (testing::Test::HasFatalFailure()) return;
      ASSERT_TRUE(before != std::tuple(next_, slots_.size(), acknowledged_.offset) ||
                  runs != acknowledged_.runs)
          << "stuck at " << next_;
    }
    check_window();
    ASSERT_EQ(ledger_->room(), limits_.events);
    for (const auto& e : log_)
      ASSERT_TRUE(done(e.offset)) << e.offset << " was lost";
  }

private:
  /// A window this small can't make more runs than the metadata holds.
  [[nodiscard]] bool all_fit() const { return limits_.events <= 500; }
  [[nodiscard]] bool records_all() const { return what_ == recording::runs && all_fit(); }
  [[nodiscard]] bool done(std::int64_t o) const { return finished_.contains(o); }

  void start() {
    at_start_ = acknowledged_ = broker_;
    ledger_.emplace(broker_.offset, decode_metadata(broker_.metadata, broker_.offset), limits_, what_);
    slots_.clear();
    held_.clear();
    taken_.reset();
    finished_.clear();
    next_ = 0;
    for (const auto& e : log_) {
      if (broker_.covers(e.offset)) finished_.insert(e.offset);
      if (e.offset < broker_.offset) ++next_;
    }
  }

  std::mt19937_64 random_;
  window_limits limits_;
  recording what_;
  std::vector<event> log_;
  std::optional<offset_ledger> ledger_;
  std::map<std::int64_t, offset_ledger::slot> slots_; ///< unfinished
  std::size_t next_ = 0;                              ///< of the log, to be read
  committed broker_, at_start_;
  committed acknowledged_; ///< what the ledger knows that the broker has
  std::optional<committed> taken_;
  std::set<std::int64_t> finished_, finished_when_taken_, finished_when_taken_by_broker_, ever_read_;
  std::map<std::int64_t, std::size_t> held_; ///< bytes that a finished event leaves behind
  std::size_t redelivered_ = 0;
};

/// Through commits that fail, or seem to, and crashes.
void hold_all_promises(recording mode) {
  std::size_t redelivered = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    simulation sim{seed, {16 + seed * 3, 400 + seed * 60}, 800, mode};
    const auto eager = 20 + sim.roll(60); // some runs have their window full most of the time, some never
    for (int step = 0; step < 4000; ++step) {
      const auto what = sim.roll(100);
      if (what < eager)
        sim.read();
      else if (what < 88)
        sim.finish(sim.chance(70) ? 1 + sim.roll(200) : 0); // the first stays unfinished rather long
      else if (what < 94)
        sim.take();
      else
        sim.answer(sim.some_answer());
      if (sim.roll(500) == 0) sim.crash();
      sim.check_window();
      if (testing::Test::HasFatalFailure()) return;
    }
    sim.come_to_an_end();
    if (testing::Test::HasFatalFailure()) return;
    redelivered += sim.redelivered();
  }
  EXPECT_GT(redelivered, 1000U) << "crashes with nothing under way show nothing";
}

TEST(OffsetLedgerProperty, HoldsItsPromisesThroughCommitsThatFailOrSeemToAndCrashes) {
  hold_all_promises(recording::runs);
}

TEST(OffsetLedgerProperty, HoldsThemWhereOnlyThePositionIsRecorded) {
  hold_all_promises(recording::prefix);
}

TEST(OffsetLedgerProperty, KeepsItsAccountsWhenNotAllRunsFit) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    simulation sim{seed, {6000, 1U << 20}, 9000};
    for (int life = 0; life < 4; ++life) {
      for (int step = 0; step < 9000; ++step) {
        if (sim.chance(70)) sim.read();
        if (sim.chance(35)) sim.finish(1 + sim.roll(100'000));
        if (sim.roll(2000) == 0) {
          sim.take();
          for (int more = 0; more < 5; ++more)
            sim.read();
          sim.answer(sim.some_answer());
          sim.check_window();
        }
        if (HasFatalFailure()) return;
      }
      sim.crash();
    }
    sim.check_window();
    if (HasFatalFailure()) return;
  }
}

} // namespace
} // namespace troupe::flow
