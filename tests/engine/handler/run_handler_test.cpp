#include "engine/handler/run_handler.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>

namespace troupe {
namespace {

struct RunHandler : ::testing::Test {
  outcome blocking(const blocking_handler& handler) { return run_handler(handler, *event, *seen); }
  std::optional<outcome> async(const async_handler& handler) {
    std::optional<outcome> told;
    run_handler(handler, event, seen, [&](outcome o) { told = std::move(o); });
    return told;
  }

  record_ptr event = std::make_shared<record>();
  std::shared_ptr<context> seen = std::make_shared<context>(std::make_shared<const surroundings>(), 1,
                                                            std::chrono::steady_clock::now(), nullptr);
};

TEST_F(RunHandler, answers_what_the_handler_answers) {
  const auto refuse = [] { return outcome::permanent("no", "bad"); };
  EXPECT_EQ(blocking([&](const record&, context&) { return refuse(); }).reason, "no");
  const auto told =
      async([&](record_ptr, std::shared_ptr<context>, const completion& done) { done(refuse()); });
  ASSERT_TRUE(told);
  EXPECT_EQ(told->reason, "no");
  EXPECT_FALSE(async([](record_ptr, std::shared_ptr<context>, const completion&) {})) << "later, perhaps";
}

TEST_F(RunHandler, whatever_is_thrown_is_a_transient_failure) {
  const auto check = [](const outcome& o, const std::string& reason) {
    EXPECT_EQ(o.kind, verdict::transient);
    EXPECT_EQ(o.error_class, "exception");
    EXPECT_NE(o.reason.find(reason), std::string::npos) << o.reason;
  };
  const auto fail = [](bool known) {
    if (known) throw std::logic_error{"oh no"};
    throw 7;
  };
  for (const auto& [known, reason] : {std::pair{true, "oh no"}, {false, "no std::exception"}}) {
    check(blocking([&, k = known](const record&, context&) -> outcome {
            fail(k);
            return {};
          }),
          reason);
    const auto told =
        async([&, k = known](record_ptr, std::shared_ptr<context>, const completion&) { fail(k); });
    ASSERT_TRUE(told);
    check(*told, reason);
  }
}

} // namespace
} // namespace troupe
