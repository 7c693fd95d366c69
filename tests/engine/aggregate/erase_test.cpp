#include "engine/aggregate/scripts.hpp"
#include "tests/engine/aggregate/store_fixture.hpp"

namespace troupe::aggregate {

namespace {

tally_spec spec_of(std::string into, std::string minute_into) {
  return {{}, "/v", std::move(into), std::move(minute_into), std::chrono::hours{1}, ""};
}

} // namespace

class Erase : public StoreTest {
protected:
  result<std::int64_t> erase(const tally_spec& spec) {
    return waiting<std::int64_t>([&](auto done) { store.erase(spec, done); });
  }
  std::int64_t exists(const std::string& name) { return run({"EXISTS", name}).integer; }
};

TEST_F(Erase, removes_what_the_spec_can_have_made_and_the_hash) {
  ASSERT_TRUE(claim(0).ok());
  delta d;
  for (int i = 0; i < 5000; ++i)
    d.totals.push_back({"views:" + std::to_string(i), 1});
  for (int i = 10; i < 60; ++i)
    d.minutes.push_back({"m:2026-01-31T23:" + std::to_string(i), 4'000'000'000, {{"x", 1}}});
  ASSERT_EQ(flushed(0, 1, d), kind::applied);
  run({"SET", "other:1", "1"});
  run({"RPUSH", "views:list", "1"});
  run({"ZADD", "m:not-a-minute", "1", "x"});
  const auto r = erase(spec_of("views:{value}", "m:{minute}"));
  ASSERT_TRUE(r.ok()) << r.failure().detail;
  EXPECT_EQ(*r, 5051);
  EXPECT_EQ(run({"DBSIZE"}).integer, 3);
  EXPECT_EQ(erase(spec_of("views:{value}", "m:{minute}")).value(), 0);
}

TEST_F(Erase, takes_glob_characters_of_a_key_literally) {
  const std::string into = "a*b?[c]^-\\d{x}:{value}";
  run({"SET", "a*b?[c]^-\\d{x}:/1", "1"});
  run({"SET", "a*b?[c]^-\\d{x}:*", "1"});
  run({"SET", "aXbYc^-\\d{x}:/1", "1"});
  run({"SET", "a*b?c^-\\d{x}:/1", "1"});
  run({"SET", "a*b?[c]^-\\\\d{x}:/1", "1"});
  EXPECT_EQ(*erase(spec_of(into, "")), 2);
  EXPECT_EQ(exists("a*b?[c]^-\\d{x}:/1"), 0);
  EXPECT_EQ(run({"DBSIZE"}).integer, 3);
}

TEST_F(Erase, takes_only_keys_whose_placeholders_agree) {
  run({"SET", "x:1:1", "1"});
  run({"SET", "x:1:2", "1"});
  EXPECT_EQ(*erase(spec_of("x:{value}:{value}", "")), 1);
  EXPECT_EQ(exists("x:1:2"), 1);
  run({"SET", "all", "1"});
  run({"SET", "all2", "1"});
  EXPECT_EQ(*erase(spec_of("all", "")), 1);
  EXPECT_EQ(exists("all2"), 1);
}

TEST_F(Erase, cut_off_half_way_is_noticed_and_can_be_repeated) {
  ASSERT_TRUE(claim(0).ok());
  ASSERT_EQ(flushed(0, 1, {{{"views:a", 1}, {"views:b", 1}}, {}}), kind::applied);
  // Allowed to begin but not to remove: as a crash after the first step leaves it.
  run({"ACL", "SETUSER", "me", "reset", "on", ">pw", "~*", "+@all", "-unlink"});
  const auto mine =
      redis::client::open(*redis::parse_url("redis://me:pw@127.0.0.1:" + std::to_string(server.port())));
  count_store crippled{mine, "shop", "page-views"};
  const auto spec = spec_of("views:{value}", "");
  EXPECT_FALSE(waiting<std::int64_t>([&](auto done) { crippled.erase(spec, done); }).ok());

  EXPECT_EQ(read({where})->digest, erasing);
  EXPECT_EQ(flushed(1, 2, {{{"views:a", 1}}, {}}), kind::other_ledger);
  EXPECT_FALSE(*waiting<bool>([&](auto done) { store.adopt("D", done); }));
  EXPECT_EQ(claim(0)->positions.at(0), std::nullopt);
  EXPECT_EQ(*erase(spec), 3);
  EXPECT_EQ(run({"DBSIZE"}).integer, 0);
  EXPECT_EQ(claim(0)->ledger, "L");
}

} // namespace troupe::aggregate
