#include "engine/deadletters/routes.hpp"

#include "tests/engine/deadletters/fixture.hpp"

#include <gtest/gtest.h>

namespace troupe::deadletters {
namespace {

config::actor worker(const std::string& name, std::vector<std::string> topics, const std::string& dlq = {}) {
  config::worker_actor w;
  w.consume.topics = std::move(topics);
  w.dlq.topic = dlq;
  return {name, w, {}, {}};
}

config::settings of(std::vector<config::actor> actors) {
  config::settings s;
  s.actors = std::move(actors);
  return s;
}

std::string way(const routes& by, const record& dead, bool alone = true) {
  const auto found = by.of(dead, alone);
  return found ? found->replay_topic() : found.failure().detail;
}

const auto dead = buried(letter("order.placed"), "order.placed.payment.dlq", "payment");

TEST(Routes, AreInTheNameOfTheTopicWhereThereIsNoConfig) {
  const routes none{std::nullopt};
  EXPECT_EQ(way(none, dead), "order.placed.payment.replay");
  EXPECT_NE(way(none, buried(letter("order.placed"), "graves", "payment")).find("--config"),
            std::string::npos);
  EXPECT_FALSE(none.of(letter("order.placed.payment.dlq"), true)) << "it does not say which actor";
}

TEST(Routes, NameWhatTheActorReadsAndNotWhereTheEventWasFirst) {
  auto moved = letter("b", dead.headers); // it had been a dead letter of order.placed before
  const auto again = buried(moved, "b.billing.dlq", "billing");
  EXPECT_EQ(header_of(again, "original-topic"), "order.placed");
  EXPECT_EQ(way(routes{of({worker("billing", {"b"})})}, again), "b.billing.replay");
  EXPECT_EQ(way(routes{of({worker("billing", {"b"}, "b.billing.dlq")})}, again), "b.billing.replay");
}

TEST(Routes, OfANamedTopicOfSeveralSourcesAreByTheOrigin) {
  const routes by{of({worker("payment", {"order.placed", "order.changed"}, "graves")})};
  EXPECT_EQ(way(by, buried(letter("order.changed"), "graves", "payment")), "order.changed.payment.replay");
  EXPECT_FALSE(by.of(buried(letter("elsewhere"), "graves", "payment"), true));
}

TEST(Routes, AreRefusedWhereNobodyWouldRead) {
  EXPECT_FALSE(routes{of({worker("email", {"order.placed"})})}.of(dead, true)) << "no such actor";
  EXPECT_FALSE(routes{of({worker("payment", {"order.paid"})})}.of(dead, true)) << "it reads another topic";
  EXPECT_FALSE(routes{of({worker("payment", {"order.placed"}, "graves")})}.of(dead, true))
      << "not its letters";
  const routes narrow{of({worker("payment", {"^order\\.[a-z]+$"})})};
  EXPECT_FALSE(narrow.of(dead, true)) << "the pattern does not match the replay topic";
  EXPECT_TRUE(narrow.of(dead, false)) << "into the source";
  EXPECT_TRUE(routes{of({worker("payment", {"^order\\..*"})})}.of(dead, true));
}

TEST(Routes, AreRefusedWhereSomebodyElseWouldReadAsWell) {
  const auto actors = of({worker("payment", {"order.placed"}), worker("audit", {"^order.*"})});
  EXPECT_NE(way(routes{actors}, dead).find("'audit' would read"), std::string::npos);
  EXPECT_TRUE(routes{actors}.of(dead, false));
  EXPECT_TRUE(
      (routes{of({worker("payment", {"order.placed"}), worker("email", {"order.placed"})})}.of(dead, true)));
}

TEST(WritersOf, ATopicOfDeadLettersAreThoseThatTheConfigNames) {
  using names = std::vector<std::string>;
  const auto config =
      of({worker("payment", {"order.placed", "order.changed"}), worker("email", {"^order\\..*"}),
          worker("billing", {"bills"}, "graves"), worker("audit", {"bills"}, "graves")});
  EXPECT_EQ(writers_of(config, "order.changed.payment.dlq"), names{"payment"});
  EXPECT_EQ(writers_of(config, "order.gone.email.dlq"), names{"email"});
  EXPECT_EQ(writers_of(config, "graves"), (names{"billing", "audit"}));
  for (const auto* other :
       {"order.placed", "bills", "bills.payment.dlq", "bills.billing.dlq", "payment.dlq", ""})
    EXPECT_EQ(writers_of(config, other), names{}) << other;
}

} // namespace
} // namespace troupe::deadletters
