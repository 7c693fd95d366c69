#include "apps/telemetry/panel.hpp"

#include "apps/telemetry/telemetry.hpp"
#include "engine/core/time.hpp"
#include "engine/handler/handler.hpp"
#include "tests/apps/panels/fixture.hpp"

#include <future>

namespace telemetry {

using nlohmann::json;
using troupe::dashboard::noon;

class DevicesPanelTest : public troupe::dashboard::PanelTest {
protected:
  void SetUp() override { run_by("telemetry.record_status"); }
  void seen(const std::string& device, std::int64_t ago_ms, const std::string& status = "healthy") {
    redis({"ZADD", "devices:seen", std::to_string(noon - ago_ms), device});
    redis({"HSET", "devices:status", device, status});
  }
};

TEST_F(DevicesPanelTest, tells_who_is_online_late_or_silent) {
  redis({"HSET", "devices:thresholds", "late_ms", "2000", "silent_ms", "10000"});
  seen("on", 2000);
  seen("late", 2001, "hot");
  seen("also-late", 10'000);
  seen("gone", 10'001);
  const auto shown = read(devices_panel());
  EXPECT_EQ(value_of(shown, "Online"), 1);
  EXPECT_EQ(value_of(shown, "Late"), 2);
  EXPECT_EQ(value_of(shown, "Silent"), 1);
  const auto rows = rows_of(shown, "Devices");
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0], (json{"gone", "fail", "silent", noon - 10'001, "healthy"}));
  EXPECT_EQ(rows[2], (json{"late", "wait", "late", noon - 2001, "hot"}));
  EXPECT_EQ(rows[3][1], "ok");
}

TEST_F(DevicesPanelTest, before_any_device_was_seen_nothing_is_known) {
  const auto shown = read(devices_panel());
  EXPECT_TRUE(value_of(shown, "Online").is_null());
  EXPECT_TRUE(rows_of(shown, "Devices").empty());
}

constexpr std::int64_t hour = 3'600'000;

class DevicesTest : public troupe::dashboard::PanelTest {
protected:
  void SetUp() override {
    around->redis = client;
    add_handlers(known);
  }
  void report(const std::string& device, std::int64_t at) {
    auto event = std::make_shared<troupe::record>();
    event->key = device;
    event->timestamp_ms = at;
    event->value = R"({"status": "healthy"})";
    std::promise<troupe::outcome> came;
    std::get<troupe::async_handler> (*known.find("telemetry.record_status"))(
        event,
        std::make_shared<troupe::context>(
            around, 1, std::chrono::steady_clock::now() + std::chrono::seconds{20}, nullptr),
        [&](troupe::outcome o) { came.set_value(std::move(o)); });
    EXPECT_EQ(came.get_future().get().kind, troupe::verdict::success);
  }
  /// How many devices are known, in both places.
  std::size_t devices() {
    const auto seen = client->ask({"ZCARD", "devices:seen"});
    const auto status = client->ask({"HLEN", "devices:status"});
    EXPECT_TRUE(seen && status && seen->integer == status->integer);
    return seen ? static_cast<std::size_t>(seen->integer) : 0;
  }
  bool knows(const std::string& device) {
    return server.raw({"HEXISTS", "devices:status", device}) == ":1\r\n";
  }

  troupe::handlers known;
  std::shared_ptr<troupe::surroundings> around = std::make_shared<troupe::surroundings>();
  const std::int64_t now = troupe::wall_ms();
};

TEST_F(DevicesTest, whom_nobody_has_seen_for_a_day_is_forgotten_a_few_at_a_time) {
  for (int n = 0; n < 40; ++n)
    report("gone-" + std::to_string(n), now - 25 * hour);
  report("silent", now - 23 * hour); // they were all seen in the day before that
  EXPECT_EQ(devices(), 41U);
  report("here", now);
  EXPECT_EQ(devices(), 26U);
  report("here", now + 1);
  report("here", now + 2);
  EXPECT_EQ(devices(), 2U);
  EXPECT_TRUE(knows("here"));
  EXPECT_TRUE(knows("silent"));
}

TEST_F(DevicesTest, an_old_event_that_is_replayed_forgets_nobody_who_was_seen_in_its_day) {
  report("silent", now - 23 * hour);
  report("before", now - 60 * hour);
  report("old", now - 48 * hour);
  EXPECT_EQ(devices(), 3U);
  report("older", now - 80 * hour);
  EXPECT_EQ(devices(), 4U);
}

TEST_F(DevicesTest, a_clock_that_is_ahead_forgets_nobody_before_the_time) {
  report("silent", now - 23 * hour);
  report("ahead", now + 48 * hour);
  EXPECT_EQ(devices(), 2U);
}

} // namespace telemetry
