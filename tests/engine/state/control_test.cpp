#include "engine/state/control.hpp"

#include "tests/engine/state/fixture.hpp"

#include <future>

namespace troupe::state {

class ControlTest : public StateTest {
protected:
  order an_order(pool_action what, std::optional<unsigned> workers = {}) {
    return {"id-" + std::to_string(++orders_), what, "inventory", workers, "alice", noon, noon + 5000};
  }
  given give_it(const order& o) {
    auto got = give(*people, keys, o);
    EXPECT_TRUE(got.ok()) << (got ? "" : got.failure().detail);
    return got ? *got : given{};
  }
  inbox::mail look(inbox& at) {
    std::promise<inbox::mail> found;
    at.look([&](inbox::mail m) { found.set_value(std::move(m)); });
    return found.get_future().get();
  }
  std::shared_ptr<redis::client> people = client();

private:
  int orders_ = 0;
};

TEST(Desired, is_read_as_it_was_written) {
  const desired d{true, 4, 3, "alice \xff", noon};
  auto back = decode_desired(encode(d));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->workers, 4U);
  EXPECT_TRUE(back->paused);
  EXPECT_FALSE(decode_desired("3"));
  EXPECT_FALSE(decode_desired("{"));
  EXPECT_EQ(in_words(d), "paused, 4 workers");
  EXPECT_EQ(in_words(std::nullopt), "as in the file");
}

TEST_F(ControlTest, orders_follow_each_other_and_a_reset_forgets_them) {
  EXPECT_FALSE(give_it(an_order(pool_action::pause)).before);
  const auto sized = give_it(an_order(pool_action::resize, 4));
  EXPECT_TRUE(sized.before->paused);
  EXPECT_TRUE(sized.after->paused);
  EXPECT_EQ(sized.after->workers, 4U);
  EXPECT_EQ(sized.after->by, "alice");
  EXPECT_EQ(sized.after->at_ms, noon);
  EXPECT_EQ(sized.after->revision, 2);
  const auto resumed = give_it(an_order(pool_action::resume));
  EXPECT_FALSE(resumed.after->paused);
  EXPECT_EQ(resumed.after->workers, 4U);
  EXPECT_FALSE(give_it(an_order(pool_action::reset)).after);
  EXPECT_TRUE(hash(keys.desired()).empty());
}

TEST_F(ControlTest, dead_letters_that_were_dealt_with_are_open_no_more_and_audited) {
  ASSERT_TRUE(people->ask({"HSET", keys.dead_letters(), "shop.dlq", "5"}));
  EXPECT_EQ(note_resolved(*people, keys, "shop.dlq", 2, "dlq replay", "alice").value(), 3);
  EXPECT_EQ(hash(keys.dead_letters())["shop.dlq"], "3");
  EXPECT_EQ(note_resolved(*people, keys, "shop.dlq", 9, "dlq discard", "bob").value(), 0);
  EXPECT_TRUE(hash(keys.dead_letters()).empty());
  const auto audit = read(noon).audit;
  ASSERT_EQ(audit.size(), 2U);
  EXPECT_EQ(audit[0].by, "bob");
  EXPECT_EQ(audit[1].action, "dlq replay");
  EXPECT_EQ(audit[1].before, "5 open");
  EXPECT_EQ(audit[1].after, "3 open");
}

TEST_F(ControlTest, a_process_finds_what_is_desired_and_only_the_orders_since_it_looked) {
  give_it(an_order(pool_action::pause));
  inbox at{client(), "shop", "a"};
  const auto first = at.open();
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(first->wanted.at("inventory").paused);
  EXPECT_TRUE(first->orders.empty());
  EXPECT_TRUE(look(at).orders.empty());
  const auto o = an_order(pool_action::resize, 4);
  give_it(o);
  const auto mail = look(at);
  ASSERT_EQ(mail.orders.size(), 1U);
  EXPECT_EQ(mail.orders[0].id, o.id);
  EXPECT_EQ(mail.orders[0].workers, 4U);
  EXPECT_EQ(mail.wanted.at("inventory").workers, 4U);
  EXPECT_TRUE(look(at).orders.empty());
}

TEST_F(ControlTest, a_process_finds_how_many_dead_letters_are_open) {
  ASSERT_TRUE(people->ask({"HSET", keys.dead_letters(), "shop.dlq", "5"}));
  inbox at{client(), "shop", "a"};
  EXPECT_EQ(at.open()->dead_letters.at("shop.dlq"), 5);
  EXPECT_EQ(note_resolved(*people, keys, "shop.dlq", 5, "dlq replay", "alice").value(), 0);
  EXPECT_TRUE(look(at).dead_letters.empty());
}

TEST_F(ControlTest, what_changes_nothing_in_redis_stands_in_the_audit_too) {
  ASSERT_TRUE(
      note(*people, keys, "id-7", "dlq edit", "shop.dlq/0/17", "alice", "a copy went to shop.replay").ok());
  const auto audit = read(noon).audit;
  ASSERT_EQ(audit.size(), 1U);
  EXPECT_EQ(audit[0].id, "id-7");
  EXPECT_EQ(audit[0].action, "dlq edit");
  EXPECT_EQ(audit[0].actor, "shop.dlq/0/17");
  EXPECT_EQ(audit[0].by, "alice");
  EXPECT_EQ(audit[0].result, "a copy went to shop.replay");
}

TEST_F(ControlTest, the_first_order_of_all_is_seen) {
  inbox at{client(), "shop", "a"};
  ASSERT_TRUE(at.open().ok());
  give_it(an_order(pool_action::pause));
  EXPECT_EQ(look(at).orders.size(), 1U);
}

TEST_F(ControlTest, answers_come_back_by_instance_and_stand_in_the_audit) {
  inbox a{client(), "shop", "a"};
  const auto o = an_order(pool_action::resize, 64);
  give_it(o);
  answer no;
  no.before = no.after = "8 workers";
  no.text = "max_workers is 32";
  a.reply(o.id, no);
  std::map<std::string, answer> answers;
  ASSERT_TRUE(eventually([&] {
    auto got = answers_to(*people, keys, o.id);
    if (got) answers = *got;
    return !answers.empty();
  }));
  EXPECT_FALSE(answers.at("a").done);
  EXPECT_EQ(answers.at("a").text, "max_workers is 32");
  ASSERT_TRUE(conclude(*people, keys, o, "0 of 1").ok());
  const auto audit = read(noon).audit;
  ASSERT_EQ(audit.size(), 2U);
  EXPECT_EQ(audit[0].result, "0 of 1");
  EXPECT_EQ(audit[1].id, o.id);
  EXPECT_EQ(audit[1].before, "");
  EXPECT_NE(audit[1].after.find("64"), std::string::npos);
}

TEST_F(ControlTest, no_answer_of_redis_is_told) {
  server.kill();
  EXPECT_FALSE(give(*people, keys, an_order(pool_action::pause)).ok());
  inbox at{client(milliseconds{200}), "shop", "a"};
  EXPECT_FALSE(at.open().ok());
}

} // namespace troupe::state
