#include "tests/engine/aggregate/store_fixture.hpp"

namespace troupe::aggregate {

namespace {

constexpr std::int64_t far = 4'000'000'000;

delta some() {
  return {{{"views:/a", 2}, {"views:/b", 1}}, {{"m:1", far, {{"/a", 2}, {"/b", 1}}}}};
}

} // namespace

TEST_F(StoreTest, moves_counts_and_position_together) {
  ASSERT_TRUE(claim(10).ok());
  EXPECT_EQ(flushed(10, 20, some()), kind::applied);
  EXPECT_EQ(flushed(20, 21, some()), kind::applied);
  EXPECT_EQ(text({"GET", "views:/a"}), "4");
  EXPECT_EQ(text({"GET", "views:/b"}), "2");
  EXPECT_EQ(text({"ZSCORE", "m:1", "/a"}), "4");
  EXPECT_EQ(text({"ZSCORE", "m:1", "/b"}), "2");
  EXPECT_EQ(run({"EXPIRETIME", "m:1"}).integer, far);
  EXPECT_EQ(text({"HGET", key, "user.events/3"}), "21");
}

TEST_F(StoreTest, rewinds_the_position_alone_and_only_from_where_it_is) {
  ASSERT_TRUE(claim(10).ok());
  ASSERT_EQ(flushed(10, 20, some()), kind::applied);
  const auto rewound = [&](std::int64_t from, std::int64_t to) {
    return waiting<flush_answer>([&](auto done) { store.rewind(where, "L", from, to, done); })->what;
  };
  EXPECT_EQ(rewound(19, 3), kind::position);
  EXPECT_EQ(text({"HGET", key, "user.events/3"}), "20");
  EXPECT_EQ(rewound(20, 3), kind::applied);
  EXPECT_EQ(text({"HGET", key, "user.events/3"}), "3");
  EXPECT_EQ(text({"GET", "views:/a"}), "2");
}

TEST_F(StoreTest, answers_the_batchs_own_end_when_it_is_sent_again) {
  ASSERT_TRUE(claim(10).ok());
  ASSERT_EQ(flushed(10, 20, some()), kind::applied);
  const auto before = everything();
  const auto again = flush(10, 20, some());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->what, kind::position);
  EXPECT_EQ(again->stored_position, 20);
  EXPECT_EQ(everything(), before);
}

TEST_F(StoreTest, tells_an_emptied_redis_from_one_begun_anew) {
  EXPECT_EQ(flushed(0, 1, some()), kind::no_ledger);
  ASSERT_TRUE(claim(10).ok());
  EXPECT_EQ(flushed(10, 20, some(), "other"), kind::other_ledger);
  ASSERT_EQ(flushed(10, 20, some()), kind::applied);
  run({"FLUSHALL"});
  EXPECT_EQ(flushed(20, 30, some()), kind::no_ledger);
  EXPECT_EQ(everything(), "");
  ASSERT_TRUE(claim(0, "new").ok());
  EXPECT_EQ(flushed(20, 30, some()), kind::other_ledger);
  where.partition = 4;
  EXPECT_EQ(flushed(20, 30, some(), "new"), kind::no_position);
  EXPECT_EQ(run({"DBSIZE"}).integer, 1);
}

TEST_F(StoreTest, only_looks_when_there_is_nothing_to_count) {
  EXPECT_EQ(flushed(10, 10, {}), kind::no_ledger);
  ASSERT_TRUE(claim(10).ok());
  EXPECT_EQ(flushed(10, 10, {}), kind::applied);
  EXPECT_EQ(flushed(10, 10, {}, "other"), kind::other_ledger);
  const auto r = flush(11, 11, {});
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(r->what, kind::position);
  EXPECT_EQ(r->stored_position, 10);
  EXPECT_EQ(flushed(10, 15, {}), kind::applied); // offsets without events to count
  EXPECT_EQ(text({"HGET", key, "user.events/3"}), "15");
}

TEST_F(StoreTest, keeps_positions_exact_to_the_last_of_64_bits) {
  constexpr auto last = std::numeric_limits<std::int64_t>::max();
  ASSERT_TRUE(claim(last - 2).ok());
  EXPECT_EQ(flush(last - 3, last, some())->stored_position, last - 2);
  EXPECT_EQ(flushed(last - 2, last - 1, some()), kind::applied);
  EXPECT_EQ(flushed(last - 1, last, {}), kind::applied);
  EXPECT_EQ(*read({where})->positions[0], last);
}

TEST_F(StoreTest, claims_once_and_answers_what_holds) {
  const auto none = read({where});
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->ledger, "");
  EXPECT_EQ(none->positions, (std::vector<std::optional<std::int64_t>>{std::nullopt}));
  const auto first = claim(10);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->ledger, "L");
  EXPECT_EQ(first->digest, "D");
  const auto rival = claim(99, "rival");
  EXPECT_EQ(rival->ledger, "L");
  EXPECT_EQ(rival->positions.at(0), 10);
  where.partition = 4;
  EXPECT_EQ(claim(7)->positions.at(0), 7);
  EXPECT_EQ(read({{"user.events", 3}, {"user.events", 9}, where})->positions,
            (std::vector<std::optional<std::int64_t>>{10, std::nullopt, 7}));
}

TEST_F(StoreTest, adopts_a_digest_only_where_there_is_a_ledger) {
  const auto adopt = [&] { return waiting<bool>([&](auto done) { store.adopt("E", done); }); };
  EXPECT_FALSE(*adopt());
  EXPECT_EQ(run({"DBSIZE"}).integer, 0);
  ASSERT_TRUE(claim(1).ok());
  EXPECT_TRUE(*adopt());
  EXPECT_EQ(read({})->digest, "E");
}

TEST_F(StoreTest, sends_the_script_again_where_redis_forgot_it) {
  ASSERT_TRUE(claim(0).ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(flushed(i, i + 1, some()), kind::applied);
    ASSERT_EQ(text({"SCRIPT", "FLUSH"}), "OK");
  }
  EXPECT_EQ(text({"GET", "views:/a"}), "6");
}

TEST_F(StoreTest, sums_a_key_that_is_given_twice) {
  ASSERT_TRUE(claim(0).ok());
  EXPECT_EQ(
      flushed(0, 1, {{{"k", 1}, {"j", 5}, {"k", 2}}, {{"m", far, {{"x", 1}}}, {"m", far - 1, {{"x", 2}}}}}),
      kind::applied);
  EXPECT_EQ(text({"GET", "k"}), "3");
  EXPECT_EQ(text({"ZSCORE", "m", "x"}), "3");
  EXPECT_EQ(run({"EXPIRETIME", "m"}).integer, far);
}

TEST_F(StoreTest, keeps_no_minute_whose_time_has_passed) {
  ASSERT_TRUE(claim(0).ok());
  EXPECT_EQ(flushed(0, 1,
                    {{{"k", 1}},
                     {{"old", 1000, {{"x", 1}}},
                      {"older", -60'000'000'000, {{"x", 1}}},
                      {"new", std::numeric_limits<std::int64_t>::max(), {{"x", 1}}}}}),
            kind::applied);
  EXPECT_EQ(run({"EXISTS", "old", "older"}).integer, 0);
  EXPECT_EQ(run({"EXISTS", "new"}).integer, 1);
  EXPECT_EQ(text({"GET", "k"}), "1");
}

TEST_F(StoreTest, takes_ten_thousand_keys_at_once) {
  ASSERT_TRUE(claim(0).ok());
  delta d;
  for (int i = 0; i < 10'000; ++i) {
    const auto n = std::to_string(i);
    d.totals.push_back({"views:" + n, i + 1});
    d.minutes.push_back({"m:" + std::to_string(i % 60), far, {{n, i + 1}}});
  }
  ASSERT_EQ(flushed(0, 1, d), kind::applied);
  EXPECT_EQ(text({"GET", "views:9999"}), "10000");
  EXPECT_EQ(text({"ZSCORE", "m:39", "9999"}), "10000");
  EXPECT_EQ(run({"DBSIZE"}).integer, 10'061);
}

TEST(Digest, depends_on_what_is_counted_and_on_nothing_else) {
  const tally_spec spec{{{"/a", "1"}, {"/b", "2"}}, "/v", "k:{value}", "m:{minute}",
                        std::chrono::hours{1},      "/t"};
  const auto base = digest_of({"x", "y"}, spec);
  EXPECT_EQ(base.size(), 32U);
  EXPECT_EQ(digest_of({"y", "x"}, spec), base);
  EXPECT_EQ(base, "67204ce19e6170a3e7e30922acb3c187")
      << "a digest that changes makes every running group stop";
  auto same = spec;
  std::swap(same.where[0], same.where[1]);
  same.minute_keep = std::chrono::hours{2};
  EXPECT_EQ(digest_of({"x", "y"}, same), base);
  const auto differs = [&](auto change, std::vector<std::string> topics = {"x", "y"}) {
    auto other = spec;
    change(other);
    return digest_of(topics, other) != base;
  };
  EXPECT_TRUE(differs([](auto& s) { s.where[0].second = "3"; }));
  EXPECT_TRUE(differs([](auto& s) { s.where.pop_back(); }));
  EXPECT_TRUE(differs([](auto& s) { s.count_by = "/w"; }));
  EXPECT_TRUE(differs([](auto& s) { s.into = "j:{value}"; }));
  EXPECT_TRUE(differs([](auto& s) { s.minute_into = ""; }));
  EXPECT_TRUE(differs([](auto&) {}, {"x"}));
  EXPECT_TRUE(differs([](auto&) {}, {"xy"}));
}

} // namespace troupe::aggregate
