#include "engine/handler/handler.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace troupe {
namespace {

using namespace std::chrono_literals;

outgoing to(std::string topic, std::optional<std::string> key = {}, std::optional<std::string> value = {}) {
  outgoing o;
  o.topic = std::move(topic);
  o.key = std::move(key);
  o.value = std::move(value);
  return o;
}

class fake_publisher : public publisher {
public:
  void publish(outgoing event, milliseconds deadline, report done) override {
    event_ = std::move(event);
    deadline_ = deadline;
    if (answer_) thread_ = std::jthread{[answer = *answer_, done = std::move(done)] { done(answer); }};
  }
  std::optional<result<void>> answer_ = result<void>{};
  outgoing event_;
  milliseconds deadline_{};
  std::jthread thread_;
};

TEST(PublishAndWait, AnswersWhatTheBrokerAnswered) {
  fake_publisher out;
  EXPECT_TRUE(out.publish_and_wait(to("t", "k", "v"), 250ms).ok());
  EXPECT_EQ(out.event_.topic, "t");
  EXPECT_EQ(out.event_.key, "k");
  EXPECT_EQ(out.event_.value, "v");
  EXPECT_EQ(out.deadline_, 250ms);

  out.answer_ = result<void>{error{errc::too_large, "over 1 MB"}};
  const auto refused = out.publish_and_wait(to("t"), 250ms);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure().code, errc::too_large);
  EXPECT_EQ(refused.failure().detail, "over 1 MB");
}

TEST(PublishAndWait, DoesNotHangOnAPublisherThatForgotTheReport) {
  fake_publisher out;
  out.answer_.reset();
  const auto r = out.publish_and_wait(to("orders"), 250ms);
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.failure().code, errc::timeout);
  EXPECT_NE(r.failure().detail.find("orders"), std::string::npos);
}

const auto around =
    std::make_shared<const surroundings>(surroundings{"a", {{"gateway", "http://g"}}, nullptr});

TEST(Context, TellsTheActorsSettingsAndWhatIsMissing) {
  const context c{around, 1, std::chrono::steady_clock::now(), nullptr};
  EXPECT_EQ(c.actor(), "a");
  EXPECT_EQ(c.setting("gateway", "none"), "http://g");
  EXPECT_EQ(c.setting("folder", "here"), "here");
  EXPECT_EQ(c.setting("folder"), "");
  try {
    (void)c.redis();
    FAIL() << "there is no Redis";
  } catch (const std::runtime_error& e) {
    EXPECT_EQ(std::string{e.what()}, "the handler of actor 'a' needs Redis: give the config `redis`");
  }
}

TEST(Context, IsCancelledByItsDeadlineAndByCancel) {
  const auto now = std::chrono::steady_clock::now();
  context late{around, 1, now - 1ms, nullptr};
  EXPECT_TRUE(late.cancelled());
  context c{around, 3, now + std::chrono::hours{1}, nullptr};
  EXPECT_EQ(c.attempt(), 3U);
  EXPECT_FALSE(c.cancelled());
  c.cancel();
  EXPECT_TRUE(c.cancelled());
}

TEST(Handlers, RefuseANameThatIsTaken) {
  handlers all;
  EXPECT_TRUE(all.add("x", [](const record&, context&) { return outcome::success(); }));
  EXPECT_FALSE(all.add_async("x", [](record_ptr, std::shared_ptr<context>, completion) {}));
  EXPECT_TRUE(all.add_async("b", [](record_ptr, std::shared_ptr<context>, completion) {}));
  ASSERT_NE(all.find("x"), nullptr);
  EXPECT_TRUE(std::holds_alternative<blocking_handler>(*all.find("x")));
  EXPECT_EQ(all.find("y"), nullptr);
  EXPECT_EQ(all.names(), (std::vector<std::string>{"b", "x"}));
}

} // namespace
} // namespace troupe
