#include "tests/engine/flow/pool_fixture.hpp"

#include <deque>
#include <random>
#include <set>

namespace troupe::flow {
namespace {

using namespace std::chrono_literals;

enum class phase { waiting, running, parked, publishing, republish, burying, held };

/// What the model knows of an event that was offered and is not done.
struct known_event {
  record_ptr event;
  std::string lane; ///< unique where nothing orders it
  phase at = phase::waiting;
  unsigned attempt = 1;
  task_id id = 0;
  steady_time not_before{};
};

/// A pool of workers, a publisher and a dead-letter writer that do anything at any time, held against a
/// model.
class simulation {
public:
  simulation(std::uint64_t seed, bool failing) : random_{seed}, failing_{failing} {
    rules_.order_by = std::array{ordering::key, ordering::key, ordering::partition, ordering::none}[roll(4)];
    rules_.mailbox = 1 + roll(20);
    rules_.retry = {.attempts = 1 + static_cast<unsigned>(roll(4)),
                    .backoff = policy::backoff_kind::constant,
                    .initial = 100ms,
                    .jitter = 0};
    rules_.breaker = {.failure_ratio = 0.6, .over = 20, .open_for = 1000ms};
    rules_.flood = {.ratio = 0.5, .run = failing_ ? 6U : 1'000'000U};
    workers_ = 1 + roll(12);
    pool_.emplace(rules_, seed);
    for (partition_index p = 0; p < 3; ++p)
      pool_->add_partition(p);
  }

  void step() {
    const auto what = roll(100);
    if (what < 15)
      offer(static_cast<partition_index>(roll(3)));
    else if (what < 45)
      start();
    else if (what < 70)
      finish_call();
    else if (what < 78)
      answer_publish();
    else if (what < 84)
      answer_burial();
    else if (what < 98)
      pass(milliseconds{roll(roll(4) == 0 ? 800 : 60)});
    else if (what == 98 && roll(10) == 0)
      drop(static_cast<partition_index>(roll(3)));
    else if (what == 99 && roll(4) == 0)
      toggle_drain();
    check();
  }

  /// Everything works from now on: all that was offered must come to its end.
  void come_to_an_end() {
    if (draining_) toggle_drain();
    failing_ = false;
    calm_ = true;
    for (int i = 0; i < 200'000 && !events_.empty(); ++i) {
      const auto before = std::tuple(events_.size(), pool_->under_way());
      start();
      finish_call();
      answer_publish();
      answer_burial();
      check();
      if (testing::Test::HasFatalFailure()) return;
      const bool answers_to_come = !running_.empty() || !publishing_.empty() || !burying_.empty();
      if (before == std::tuple(events_.size(), pool_->under_way()) && !answers_to_come && !events_.empty()) {
        const auto due = pool_->next_due();
        ASSERT_TRUE(due) << events_.size() << " events are left, and nothing will ever move them";
        pass(std::max(std::chrono::ceil<milliseconds>(*due - now_), 0ms));
      }
    }
    ASSERT_TRUE(events_.empty());
    ASSERT_EQ(pool_->under_way(), 0U);
    ASSERT_EQ(pool_->mailbox(), 0U);
    ASSERT_EQ(pool_->parked(), 0U);
  }

  std::size_t calls = 0, burials = 0, probes = 0, floods = 0, held = 0;

private:
  using place = std::pair<partition_index, offset_ledger::slot>;

  std::uint64_t roll(std::uint64_t below) { return random_() % below; }

  void offer(partition_index p) {
    if (!pool_->wants_more(p)) return;
    std::size_t unfinished = 0;
    for (const auto& [where, e] : events_)
      if (where.first == p) ++unfinished;
    if (unfinished > 60) return;
    std::vector<admitted> batch;
    for (auto n = 1 + roll(12); n > 0; --n) {
      const auto offset = next_offset_++;
      std::optional<std::string> key;
      if (roll(5) > 0) key = roll(2) == 0 ? "hot" : "k" + std::to_string(roll(8));
      known_event e;
      e.event = make_event(p, static_cast<std::int64_t>(offset), key);
      e.lane = std::to_string(p) + '/';
      if (rules_.order_by == ordering::key && key)
        e.lane += "key " + *key;
      else if (rules_.order_by != ordering::partition)
        e.lane += "alone " + std::to_string(offset);
      lanes_[e.lane].push_back({p, offset});
      batch.push_back({e.event, offset});
      events_[{p, offset}] = e;
    }
    pool_->offer(p, std::move(batch), now_);
  }

  void start() {
    if (running_.size() >= workers_) return;
    const bool probing = !pool_->breaker_closed();
    const auto call = pool_->next(now_);
    if (!call) return;
    ++calls;
    ASSERT_FALSE(draining_);
    const place where{static_cast<partition_index>(call->event->partition),
                      static_cast<offset_ledger::slot>(call->event->offset)};
    ASSERT_TRUE(events_.contains(where)) << "done or never offered";
    auto& e = events_[where];
    ASSERT_EQ(lanes_[e.lane].front(), where) << "an earlier event of its key is not done";
    ASSERT_TRUE(e.at == phase::waiting || e.at == phase::parked) << "active already";
    ASSERT_LE(e.not_before, now_) << "sooner than its backoff allows";
    ASSERT_EQ(call->attempt, e.attempt);
    ASSERT_LE(call->attempt, rules_.retry.attempts);
    ASSERT_EQ(call->event, e.event);
    if (probing) {
      ++probes;
      ASSERT_FALSE(probe_) << "a second probe";
      ASSERT_LE(no_probe_before_, now_) << "probes are open_for apart";
      probe_ = call->id;
    }
    e.at = phase::running;
    e.id = call->id;
    running_.push_back(where);
  }

  template <class T>
  std::optional<T> any_of(std::vector<T>& from) {
    if (from.empty()) return std::nullopt;
    const auto i = roll(from.size());
    auto one = from[i];
    from.erase(from.begin() + static_cast<std::ptrdiff_t>(i));
    return one;
  }

  outcome any_outcome() {
    if (calm_) return outcome::success();
    const auto what = roll(100);
    const auto bad = failing_ ? 45U : 5U;
    if (what < bad) return outcome::permanent("bad");
    if (what < bad + 15) return outcome::transient("no");
    if (what < bad + 18) return outcome::unavailable("out");
    if (what < bad + 30) return outcome::success({to("next")});
    return outcome::success();
  }

  void finish_call() {
    const auto where = any_of(running_);
    if (!where) return;
    auto& e = events_[*where];
    const bool died = !calm_ && roll(30) == 0;
    const auto result = died ? outcome::transient("the worker died") : any_outcome();
    if (probe_ == e.id) {
      probe_.reset();
      no_probe_before_ = now_ + 1000ms;
      if (result.kind == verdict::success) flooded_ = false;
    }
    const bool unavailable = result.kind == verdict::unavailable;
    const bool gives_up = result.kind == verdict::permanent ||
                          (result.kind == verdict::transient && e.attempt == rules_.retry.attempts);
    const bool publishes = !result.events.empty();
    const bool succeeds = result.kind == verdict::success && !publishes;
    if (gives_up)
      e.at = phase::held; // or buried, as the actions say
    else if (unavailable)
      e.at = phase::waiting;
    else if (result.kind == verdict::transient) {
      e.at = phase::parked;
      ++e.attempt;
      e.not_before = now_ + 100ms;
    } else if (publishes)
      e.at = phase::republish;
    const auto id = e.id;
    expecting_done_ = succeeds ? std::optional{*where} : std::nullopt;
    if (died)
      pool_->worker_died(id, now_, wall(), out_);
    else
      pool_->called(id, result, now_, wall(), out_);
    carry_out();
    if (unavailable) {
      ASSERT_FALSE(pool_->breaker_closed());
    }
  }

  void answer_publish() {
    const auto where = any_of(publishing_);
    if (!where) return;
    auto& e = events_[*where];
    const auto what = calm_ ? 99 : roll(100);
    std::optional<error> failure;
    if (what < 30) {
      failure = error{errc::unavailable, "away"};
      e.at = phase::republish;
      e.not_before = now_ + 100ms;
    } else if (what < 35) {
      failure = error{errc::too_large, "large"};
      e.at = phase::held;
    } else {
      expecting_done_ = *where;
    }
    pool_->published(e.id, failure, now_, wall(), out_);
    carry_out();
  }

  void answer_burial() {
    const auto where = any_of(burying_);
    if (!where) return;
    expecting_done_ = *where;
    pool_->dead_letter_written(events_[*where].id, now_, out_);
    carry_out();
  }

  void pass(milliseconds by) {
    now_ += by;
    pool_->tick(now_, out_);
    carry_out();
    if (const auto due = pool_->next_due(); due && *due <= now_) {
      ASSERT_FALSE(pool_->breaker_closed()) << "only a probe may wait for a worker";
      const auto busy = running_.size() >= workers_;
      const auto before = pool_->running();
      if (!busy) {
        start();
        ASSERT_EQ(pool_->running(), before + 1) << "due, and yet nothing may start";
      }
    }
  }

  void drop(partition_index p) {
    pool_->drop_partition(p, now_);
    std::vector<task_id> late;
    std::erase_if(events_, [&](const auto& one) {
      if (one.first.first != p) return false;
      if (probe_ && one.second.id == *probe_) {
        probe_.reset();
        no_probe_before_ = now_ + 1000ms;
      }
      if (one.second.id != 0) late.push_back(one.second.id);
      return true;
    });
    std::erase_if(lanes_, [&](const auto& one) { return one.first.starts_with(std::to_string(p) + '/'); });
    for (auto* all : {&running_, &publishing_, &burying_})
      std::erase_if(*all, [&](const place& where) { return where.first == p; });
    pool_->add_partition(p);
    offer(p);
    for (const auto id : late) {
      pool_->called(id, any_outcome(), now_, wall(), out_);
      pool_->published(id, std::nullopt, now_, wall(), out_);
      pool_->dead_letter_written(id, now_, out_);
    }
    ASSERT_TRUE(out_.empty()) << "a dropped partition's outcome led to something";
  }

  void toggle_drain() {
    draining_ = !draining_;
    if (draining_)
      pool_->drain();
    else
      pool_->resume();
    pass(0ms);
  }

  void carry_out() {
    auto actions = std::exchange(out_, {});
    for (const auto& a : actions) {
      if (const auto* d = std::get_if<event_done>(&a)) {
        const place where{d->partition, d->slot};
        ASSERT_EQ(expecting_done_, where) << "done without its outcome, or twice";
        expecting_done_.reset();
        auto& lane = lanes_[events_[where].lane];
        ASSERT_EQ(lane.front(), where);
        lane.pop_front();
        events_.erase(where);
      } else if (const auto* p = std::get_if<publish_events>(&a)) {
        auto& [where, e] = by_id(p->id);
        ASSERT_EQ(e.at, phase::republish);
        ASSERT_LE(e.not_before, now_);
        ASSERT_EQ(p->events.size(), 1U);
        e.at = phase::publishing;
        publishing_.push_back(where);
      } else if (const auto* w = std::get_if<write_dead_letter>(&a)) {
        ++burials;
        auto& [where, e] = by_id(w->id);
        ASSERT_EQ(e.at, phase::held) << "dead-lettered without having failed for good, or twice";
        ASSERT_LE(w->why.attempts, rules_.retry.attempts);
        if (flooded_) {
          ASSERT_GE(now_ - last_burial_, 1000ms) << "at most one per open_for";
          ++held;
        }
        last_burial_ = now_;
        e.at = phase::burying;
        burying_.push_back(where);
      } else if (const auto* n = std::get_if<notice>(&a)) {
        if (n->what == notice::kind::flood) {
          ++floods;
          flooded_ = true;
          last_burial_ = now_ - 1000ms; // the one that pulled the brake still goes
        }
        if (n->what == notice::kind::breaker_closed) {
          ASSERT_TRUE(pool_->breaker_closed());
        }
        if (n->what == notice::kind::breaker_opened) no_probe_before_ = now_ + 1000ms;
      }
    }
    ASSERT_FALSE(expecting_done_) << "succeeded and not done";
  }

  std::pair<const place, known_event>& by_id(task_id id) {
    for (auto& one : events_)
      if (one.second.id == id) return one;
    ADD_FAILURE() << "an unknown task";
    return *events_.begin();
  }

  void check() {
    ASSERT_LE(pool_->mailbox(), rules_.mailbox);
    ASSERT_EQ(pool_->running(), running_.size());
    std::size_t under_way = 0;
    std::size_t parked = 0;
    std::set<std::string> active;
    for (const auto& [where, e] : events_) {
      if (e.at == phase::running || e.at == phase::publishing || e.at == phase::republish ||
          e.at == phase::burying)
        ++under_way;
      if (e.at == phase::parked && e.not_before > now_) ++parked;
      if (e.at != phase::waiting) {
        ASSERT_TRUE(active.insert(e.lane).second) << "two of one key at once";
      }
    }
    ASSERT_EQ(pool_->under_way(), under_way);
    ASSERT_GE(pool_->parked(), parked);
  }

  [[nodiscard]] std::int64_t wall() const { return 1'000'000 + (now_ - steady_time{}) / 1ms; }

  std::mt19937_64 random_;
  bool failing_ = false, calm_ = false, draining_ = false, flooded_ = false;
  dispatch_rules rules_;
  std::optional<dispatcher> pool_;
  std::size_t workers_ = 1;
  steady_time now_{10s}, last_burial_{}, no_probe_before_{};
  std::uint32_t next_offset_ = 0;
  std::map<place, known_event> events_;
  std::map<std::string, std::deque<place>> lanes_;
  std::vector<place> running_, publishing_, burying_;
  std::optional<task_id> probe_;
  std::optional<place> expecting_done_;
  std::vector<action> out_;
};

void run(bool failing) {
  std::size_t calls = 0;
  std::size_t burials = 0;
  std::size_t probes = 0;
  std::size_t floods = 0;
  std::size_t held = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    simulation sim{seed, failing};
    for (int i = 0; i < 3000; ++i) {
      sim.step();
      if (testing::Test::HasFatalFailure()) return;
    }
    sim.come_to_an_end();
    if (testing::Test::HasFatalFailure()) return;
    calls += sim.calls;
    burials += sim.burials;
    probes += sim.probes;
    floods += sim.floods;
    held += sim.held;
  }
  EXPECT_GT(calls, 20'000U) << "a simulation in which little happens shows little";
  EXPECT_GT(burials, 500U);
  EXPECT_GT(probes, 500U);
  if (failing) {
    EXPECT_GT(floods, 100U);
    EXPECT_GT(held, 200U);
  }
}

TEST(DispatcherProperty, EndsEachEventOnceAndInOrderWhateverHappens) {
  run(false);
}

TEST(DispatcherProperty, HoldsAFloodBackWhateverHappens) {
  run(true);
}

} // namespace
} // namespace troupe::flow
