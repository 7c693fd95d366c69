#include "tests/engine/aggregate/store_fixture.hpp"

#include <map>
#include <random>
#include <thread>

namespace troupe::aggregate {

namespace {

constexpr std::int64_t far = 4'000'000'000;

/// A log of events whose values are known, and which offsets it has (compaction leaves gaps).
struct log_of_events {
  std::vector<int> values; ///< by offset, -1 for a gap
  explicit log_of_events(std::mt19937& random) {
    for (int i = 0; i < 400; ++i) {
      const auto n = std::uniform_int_distribution<int>{-1, 9}(random);
      values.push_back(n);
    }
  }
  [[nodiscard]] std::int64_t end() const { return static_cast<std::int64_t>(values.size()); }
  [[nodiscard]] delta between(std::int64_t from, std::int64_t to) const {
    std::map<int, std::int64_t> counts;
    for (auto i = from; i < to; ++i)
      if (const int v = values[static_cast<std::size_t>(i)]; v >= 0) ++counts[v];
    delta d;
    for (const auto& [v, n] : counts) {
      d.totals.push_back({"views:" + std::to_string(v), n});
      d.minutes.push_back({"m:" + std::to_string(v % 3), far, {{std::to_string(v), n}}});
    }
    return d;
  }
};

/// What one owner believes. Owners do not know of each other.
struct owner {
  std::int64_t from = 0;
  std::optional<std::int64_t> unanswered; ///< the end of a batch whose reply was lost
};

} // namespace

class Exactness : public StoreTest {
protected:
  struct copy {
    std::vector<std::pair<std::string, std::string>> dumps;
  };
  copy saved() {
    copy c;
    for (const auto& k : run({"KEYS", "*"}).items)
      c.dumps.emplace_back(k.text, text({"DUMP", k.text}));
    return c;
  }
  void restore(const copy& c) {
    run({"FLUSHALL"});
    for (const auto& [name, dump] : c.dumps)
      run({"RESTORE", name, "0", dump});
  }
  /// How the counts differ from the log below `to`: nothing where they are exact.
  std::string drift(const log_of_events& log, std::int64_t to) {
    std::string found;
    const auto expected = log.between(0, to);
    for (const auto& t : expected.totals)
      if (text({"GET", t.key}) != std::to_string(t.count)) found += t.key + " ";
    for (const auto& set : expected.minutes)
      for (const auto& m : set.members)
        if (text({"ZSCORE", set.key, m.member}) != std::to_string(m.count))
          found += set.key + "/" + m.member + " ";
    return found;
  }

  /// Rivals that flush, lose replies and stand still, over a Redis that now and then goes back in time.
  /// `checked` false leaves out the position check, to show that the test would notice.
  std::string play(unsigned seed, bool checked) {
    run({"FLUSHALL"});
    std::mt19937 random{seed};
    const auto pick = [&](int n) { return std::uniform_int_distribution<int>{0, n - 1}(random); };
    const log_of_events log{random};
    EXPECT_TRUE(claim(0).ok());
    auto old = saved();
    std::vector<owner> owners(3);
    for (int step = 0; step < 300; ++step) {
      if (pick(25) == 0) restore(old);
      if (pick(25) == 0) old = saved();
      auto& o = owners[static_cast<std::size_t>(pick(3))];
      const auto to = o.unanswered ? *o.unanswered : std::min(log.end(), o.from + pick(20));
      if (!checked) run({"HSET", key, "user.events/3", std::to_string(o.from)});
      const auto r = flush(o.from, to, log.between(o.from, to));
      EXPECT_TRUE(r.ok());
      if (!r) break;
      if (pick(4) == 0) {
        o.unanswered = to; // the reply got lost: the same batch goes again
        continue;
      }
      o.unanswered.reset();
      if (r->what == kind::applied)
        o.from = to;
      else if (r->what == kind::position)
        o.from = r->stored_position;
      else
        ADD_FAILURE() << "unexpected answer";
    }
    return drift(log, *read({where})->positions[0]);
  }
};

TEST_F(Exactness, rivals_lost_replies_and_rollbacks_leave_the_counts_equal_to_the_log) {
  for (unsigned seed = 1; seed <= 8; ++seed)
    EXPECT_EQ(play(seed, true), "") << "seed " << seed;
}

TEST_F(Exactness, the_test_notices_when_the_position_is_not_checked) {
  for (unsigned seed = 1; seed <= 8; ++seed)
    EXPECT_NE(play(seed, false), "") << "seed " << seed;
}

TEST_F(Exactness, rivals_at_the_same_time_apply_each_batch_once) {
  std::mt19937 random{5};
  const log_of_events log{random};
  ASSERT_TRUE(claim(0).ok());
  std::vector<std::thread> rivals;
  for (int n = 0; n < 3; ++n)
    rivals.emplace_back([&, n] {
      const auto mine = redis::client::open(*redis::parse_url(server.url()), std::chrono::seconds{20});
      count_store other{mine, "shop", "page-views"};
      std::int64_t from = 0;
      while (from < log.end()) {
        const auto to = std::min(log.end(), from + 3 + n);
        const auto r = waiting<flush_answer>([&](auto done) {
          other.flush(where, "L", from, to, shared(log.between(from, to)), std::move(done));
        });
        if (!r) return;
        from = r->what == kind::applied ? to : r->stored_position;
      }
    });
  for (auto& r : rivals)
    r.join();
  EXPECT_EQ(*read({where})->positions[0], log.end());
  EXPECT_EQ(drift(log, log.end()), "");
}

} // namespace troupe::aggregate
