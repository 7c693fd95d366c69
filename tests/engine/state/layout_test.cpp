#include "engine/state/layout.hpp"

#include <gtest/gtest.h>

namespace troupe::state {

TEST(Layout, puts_all_keys_of_an_app_into_one_slot_of_a_cluster) {
  const layout keys{"shop"};
  for (const auto& key : {keys.schema(), keys.instances(), keys.instance("a"), keys.pools("a"),
                          keys.retries("a"), keys.retry_notes("a"), keys.lag(), keys.by_second(1),
                          keys.by_minute(1), keys.by_day(1), keys.latencies(1), keys.flush(), keys.desired(),
                          keys.orders(), keys.answers("x"), keys.audit(), keys.dead_letters()})
    EXPECT_TRUE(key.starts_with("tr:{shop}:")) << key;
}

TEST(Layout, counts_by_second_minute_and_day_of_utc) {
  const layout keys{"shop"};
  const std::int64_t last_of_january = 1769903999; // 2026-01-31T23:59:59Z
  EXPECT_EQ(keys.by_second(last_of_january), "tr:{shop}:c:1s:1769903999");
  EXPECT_EQ(keys.by_minute(last_of_january), "tr:{shop}:c:1m:29498399");
  EXPECT_EQ(keys.by_day(last_of_january), "tr:{shop}:c:1d:20260131");
  EXPECT_EQ(keys.by_day(last_of_january + 1), "tr:{shop}:c:1d:20260201");
  EXPECT_EQ(keys.latencies(last_of_january), keys.latencies(last_of_january - 9));
  EXPECT_NE(keys.latencies(last_of_january), keys.latencies(last_of_january + 1));
}

} // namespace troupe::state
