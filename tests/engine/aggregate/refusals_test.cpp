#include "tests/engine/aggregate/store_fixture.hpp"

namespace troupe::aggregate {

namespace {

using testing::HasSubstr;

constexpr std::int64_t far = 4'000'000'000;

/// Enough keys that one in the middle comes after some that are fine.
delta many() {
  delta d;
  for (const auto* n : {"a", "b", "c", "d", "e"}) {
    d.totals.push_back({std::string{"views:"} + n, 7});
    d.minutes.push_back({std::string{"m:"} + n, far, {{"x", 7}}});
  }
  return d;
}

} // namespace

using Refusals = StoreTest;

TEST_F(Refusals, a_key_of_another_type_anywhere_leaves_everything_as_it_was) {
  ASSERT_TRUE(claim(0).ok());
  for (const auto* bad : {"views:a", "views:c", "views:e", "m:a", "m:c", "m:e"}) {
    run({"RPUSH", bad, "1"});
    const auto before = everything();
    const auto r = flush(0, 1, many());
    ASSERT_TRUE(r.ok());
    EXPECT_EQ(r->what, kind::refused) << bad;
    EXPECT_THAT(r->detail, HasSubstr(bad));
    EXPECT_THAT(r->detail, HasSubstr("WRONGTYPE"));
    EXPECT_EQ(everything(), before);
    run({"DEL", bad});
  }
  EXPECT_EQ(flushed(0, 1, many()), kind::applied);
}

TEST_F(Refusals, a_value_that_cannot_be_added_to_leaves_everything_as_it_was) {
  ASSERT_TRUE(claim(0).ok());
  for (const auto* value :
       {"9223372036854775807", "9223372036854775801", "9223372036854775808", "-9223372036854775809",
        "99999999999999999999", "x", "", " 1", "1 ", "01", "+1", "-0", "1.5", "1e3", "0x10"}) {
    run({"SET", "views:d", value});
    const auto before = everything();
    const auto r = flush(0, 1, many());
    ASSERT_TRUE(r.ok());
    EXPECT_EQ(r->what, kind::refused) << value;
    EXPECT_THAT(r->detail, HasSubstr("views:d"));
    EXPECT_EQ(everything(), before) << value;
  }
}

TEST_F(Refusals, a_value_that_just_fits_is_added_to_exactly) {
  const std::vector<std::array<std::string, 3>> sums{
      {"9223372036854775800", "7", "9223372036854775807"},
      {"-9223372036854775808", "7", "-9223372036854775801"},
      {"9223372035854775807", "1000000000", "9223372036854775807"},
      {"9223372036000000000", "854775807", "9223372036854775807"},
      {"1", "9223372036854775806", "9223372036854775807"},
      {"-1", "9223372036854775807", "9223372036854775806"},
      {"0", "9223372036854775807", "9223372036854775807"},
      {"9007199254740993", "9007199254740993", "18014398509481986"},
      {"-5", "5", "0"}};
  ASSERT_TRUE(claim(0).ok());
  std::int64_t at = 0;
  for (const auto& [value, count, sum] : sums) {
    run({"SET", "k", value});
    ASSERT_EQ(flushed(at, at + 1, {{{"k", std::stoll(count)}}, {}}), kind::applied)
        << value << " + " << count;
    ++at;
    EXPECT_EQ(text({"GET", "k"}), sum);
  }
  run({"SET", "k", "9223372036000000001"});
  EXPECT_EQ(flushed(at, at + 1, {{{"k", 854775807}}, {}}), kind::refused);
}

TEST_F(Refusals, keys_that_stand_in_each_others_way_are_refused) {
  ASSERT_TRUE(claim(0).ok());
  const auto before = everything();
  EXPECT_EQ(flushed(0, 1, {{{"ok", 1}, {"same", 1}}, {{"same", far, {{"x", 1}}}}}), kind::refused);
  EXPECT_EQ(flushed(0, 1, {{{"ok", 1}, {key, 1}}, {}}), kind::refused);
  EXPECT_EQ(flushed(0, 1, {{{"ok", 1}}, {{key, far, {{"x", 1}}}}}), kind::refused);
  EXPECT_FALSE(flush(0, 1, {{{"ok", 0}}, {}}).ok());
  EXPECT_FALSE(flush(0, 1, {{{"ok", -1}}, {}}).ok());
  EXPECT_FALSE(flush(1, 0, {}).ok());
  EXPECT_EQ(everything(), before);
}

TEST_F(Refusals, a_hash_that_is_not_ours_is_refused_and_kept) {
  run({"SET", key, "precious"});
  const auto before = everything();
  EXPECT_EQ(flushed(0, 1, many()), kind::refused);
  EXPECT_EQ(flushed(1, 1, {}), kind::refused);
  EXPECT_EQ(claim(0).failure().code, errc::refused);
  EXPECT_EQ(read({where}).failure().code, errc::refused);
  const auto erased = waiting<std::int64_t>([&](auto done) {
    store.erase({{}, "/v", "views:{value}", "", {}, ""}, done);
  });
  EXPECT_EQ(erased.failure().code, errc::refused);
  EXPECT_EQ(everything(), before);
  run({"DEL", key});
  ASSERT_TRUE(claim(0).ok());
  run({"HSET", key, "user.events/3", "soon"});
  EXPECT_EQ(flushed(0, 1, many()), kind::refused);
  EXPECT_EQ(read({where}).failure().code, errc::refused);
}

TEST_F(Refusals, a_full_memory_changes_nothing_and_passes) {
  ASSERT_TRUE(claim(0).ok());
  ASSERT_EQ(flushed(0, 1, many()), kind::applied); // the script is known, so that EVALSHA itself is refused
  const auto before = everything();
  run({"CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction"});
  for (int i = 0; i < 2; ++i) {
    const auto r = flush(1, 2, many());
    ASSERT_FALSE(r.ok());
    EXPECT_EQ(r.failure().code, errc::unavailable);
    EXPECT_THAT(r.failure().detail, HasSubstr("OOM"));
    run({"SCRIPT", "FLUSH"});
  }
  EXPECT_EQ(flushed(1, 1, {}), kind::applied); // looking needs no memory
  run({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(flushed(1, 2, many()), kind::applied);
}

TEST_F(Refusals, a_replica_changes_nothing_and_passes) {
  ASSERT_TRUE(claim(0).ok());
  const auto before = everything();
  run({"REPLICAOF", "127.0.0.1", std::to_string(support::free_port())});
  const auto r = flush(0, 1, many());
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.failure().code, errc::unavailable);
  EXPECT_THAT(r.failure().detail, HasSubstr("READONLY"));
  run({"REPLICAOF", "NO", "ONE"});
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(flushed(0, 1, many()), kind::applied);
}

TEST_F(Refusals, a_user_who_may_not_write_changes_nothing) {
  ASSERT_TRUE(claim(0).ok());
  const auto before = everything();
  for (const auto* missing :
       {"-incrby", "-zincrby", "-expireat", "-hset", "-get", "-zcard", "-hmget", "-evalsha"}) {
    run({"ACL", "SETUSER", "me", "reset", "on", ">pw", "~*", "+@all", missing});
    const auto mine =
        redis::client::open(*redis::parse_url("redis://me:pw@127.0.0.1:" + std::to_string(server.port())));
    count_store other{mine, "shop", "page-views"};
    const auto r =
        waiting<flush_answer>([&](auto done) { other.flush(where, "L", 0, 1, shared(many()), done); });
    ASSERT_TRUE(r.ok()) << r.failure().detail;
    EXPECT_EQ(r->what, kind::refused) << missing;
    EXPECT_EQ(everything(), before) << missing;
  }
}

TEST_F(Refusals, keys_of_different_slots_in_a_cluster_are_a_mistake_of_the_config) {
  const support::redis_server node{{"--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"}};
  const auto c = redis::client::open(*redis::parse_url(node.url()));
  count_store other{c, "shop", "page-views"};
  const auto ask = [&](delta d) {
    return waiting<flush_answer>([&](auto done) { other.flush(where, "L", 0, 1, shared(d), done); });
  };
  const auto away = ask({{{"{shop:positions:page-views}:a", 1}}, {}});
  ASSERT_FALSE(away.ok());
  EXPECT_EQ(away.failure().code, errc::unavailable);
  EXPECT_THAT(away.failure().detail, HasSubstr("CLUSTERDOWN"));
  ASSERT_TRUE(c->call({{"CLUSTER", "ADDSLOTSRANGE", "0", "16383"}}).ok());
  // The node counts itself as up a moment after it has its slots.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  auto r = ask(many());
  while (!r && r.failure().code == errc::unavailable && std::chrono::steady_clock::now() < until)
    r = ask(many());
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.failure().code, errc::bad_config);
  EXPECT_THAT(r.failure().detail, HasSubstr("{tag}"));
}

TEST_F(Refusals, a_server_that_is_gone_is_unavailable_and_the_same_flush_works_later) {
  ASSERT_TRUE(claim(0).ok());
  server.kill();
  const auto r = flush(0, 1, many());
  ASSERT_FALSE(r.ok());
  EXPECT_TRUE(r.failure().code == errc::unavailable || r.failure().code == errc::timeout);
  server.restart();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  auto later = flush(0, 1, many());
  while (!later && std::chrono::steady_clock::now() < until)
    later = flush(0, 1, many());
  ASSERT_TRUE(later.ok()) << later.failure().detail;
  EXPECT_EQ(later->what, kind::no_ledger); // nothing is saved here
}

} // namespace troupe::aggregate
