#include "apps/telemetry/panel.hpp"

#include "tests/apps/panels/fixture.hpp"

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

} // namespace telemetry
