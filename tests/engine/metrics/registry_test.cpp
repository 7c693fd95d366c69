#include "engine/metrics/registry.hpp"
#include "tests/engine/metrics/exposition.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <ctime>
#include <limits>
#include <thread>

namespace troupe::metrics {
namespace {

using testing::parse_exposition;

TEST(Registry, renders_counters_gauges_and_histograms_with_help_and_type) {
  registry all;
  all.counter("troupe_attempts_total", {{"actor", "inventory"}, {"result", "ok"}}).add(3);
  all.counter("troupe_attempts_total", {{"actor", "inventory"}, {"result", "dlq"}}).add();
  all.gauge("troupe_redis_up").set(1);
  all.histogram("troupe_event_age_seconds", {{"actor", "inventory"}}).observe(0.03);

  const auto page = parse_exposition(all.render());
  EXPECT_EQ(page.types.at("troupe_attempts_total"), "counter");
  EXPECT_EQ(page.types.at("troupe_redis_up"), "gauge");
  EXPECT_EQ(page.types.at("troupe_event_age_seconds"), "histogram");
  EXPECT_FALSE(page.helps.at("troupe_attempts_total").empty());
  EXPECT_EQ(page.at("troupe_attempts_total", {{"actor", "inventory"}, {"result", "ok"}}), 3);
  EXPECT_EQ(page.at("troupe_attempts_total", {{"actor", "inventory"}, {"result", "dlq"}}), 1);
  EXPECT_EQ(page.at("troupe_redis_up"), 1);
}

TEST(Registry, buckets_are_cumulative_and_their_bounds_inclusive) {
  registry all;
  auto& h = all.histogram("troupe_redis_flush_duration_seconds");
  for (const double seconds : {0.005, 0.0051, 0.01, 10.0, 11.0})
    h.observe(seconds);
  const auto page = parse_exposition(all.render());
  const auto bucket = [&](const char* le) {
    return page.at("troupe_redis_flush_duration_seconds_bucket", {{"le", le}});
  };
  EXPECT_EQ(bucket("0.005"), 1);
  EXPECT_EQ(bucket("0.01"), 3);
  EXPECT_EQ(bucket("7.5"), 3);
  EXPECT_EQ(bucket("10"), 4);
  EXPECT_EQ(bucket("+Inf"), 5);
  EXPECT_EQ(page.count("troupe_redis_flush_duration_seconds_bucket"), histogram::bounds().size() + 1);
  EXPECT_DOUBLE_EQ(page.at("troupe_redis_flush_duration_seconds_sum"), 0.005 + 0.0051 + 0.01 + 10 + 11);
  EXPECT_EQ(page.at("troupe_redis_flush_duration_seconds_count"), 5);
}

TEST(Registry, strange_durations_do_not_spoil_a_histogram) {
  registry all;
  auto& h = all.histogram("troupe_redis_flush_duration_seconds");
  h.observe(-3);
  h.observe(std::nan(""));
  h.observe(1);
  const auto page = parse_exposition(all.render());
  EXPECT_EQ(page.at("troupe_redis_flush_duration_seconds_count"), 2);
  EXPECT_EQ(page.at("troupe_redis_flush_duration_seconds_sum"), 1);
}

TEST(Registry, the_same_name_and_labels_in_any_order_give_the_same_object) {
  registry all;
  auto& one = all.counter("troupe_retries_total", {{"actor", "a"}, {"error_type", "timeout"}});
  auto& other = all.counter("troupe_retries_total", {{"error_type", "timeout"}, {"actor", "a"}});
  EXPECT_EQ(&one, &other);
  EXPECT_NE(&one, &all.counter("troupe_retries_total", {{"actor", "b"}, {"error_type", "timeout"}}));
  // Labels that only look the same once they are put together are two series.
  EXPECT_NE(&all.counter("troupe_retries_total", {{"actor", "a\",error_type=\"x"}}),
            &all.counter("troupe_retries_total", {{"actor", "a"}, {"error_type", "x"}}));
}

TEST(Registry, label_values_come_back_as_they_were_put_in) {
  registry all;
  const std::string nasty = "a\\b\"c\nd{e=\"f\"},g\\n \xC3\xA9";
  all.counter("troupe_retries_total", {{"actor", nasty}, {"error_type", ""}}).add(7);
  EXPECT_EQ(parse_exposition(all.render()).at("troupe_retries_total", {{"actor", nasty}, {"error_type", ""}}),
            7);
}

TEST(Registry, bytes_that_are_no_utf8_do_not_make_the_page_unreadable) {
  registry all;
  all.counter("troupe_retries_total", {{"actor", "a"}, {"error_type", "x\xFF\xC3"}}).add();
  EXPECT_EQ(parse_exposition(all.render())
                .at("troupe_retries_total", {{"actor", "a"}, {"error_type", "x\xEF\xBF\xBD\xEF\xBF\xBD"}}),
            1);
}

TEST(Registry, numbers_come_back_exactly) {
  registry all;
  auto& up = all.gauge("troupe_redis_up");
  for (const double value :
       {0.0, -1.5, 1e300, 1e-300, 0.1, 123456789.123, std::numeric_limits<double>::infinity()}) {
    up.set(value);
    EXPECT_EQ(parse_exposition(all.render()).at("troupe_redis_up"), value);
  }
  all.counter("troupe_rebalances_total", {{"group", "g"}}).add(9'007'199'254'740'991ULL);
  EXPECT_EQ(parse_exposition(all.render()).at("troupe_rebalances_total", {{"group", "g"}}),
            9007199254740991.0);
}

TEST(Registry, a_dropped_gauge_is_gone_and_its_reference_still_valid) {
  registry all;
  const labels mine{{"group", "g"}, {"partition", "1"}, {"topic", "t"}};
  auto& lag = all.gauge("troupe_consumer_lag_messages", mine);
  lag.set(50);
  all.drop_gauge("troupe_consumer_lag_messages", mine);
  all.drop_gauge("troupe_consumer_lag_messages", {{"group", "unknown"}});
  all.drop_gauge("troupe_redis_up", {});
  lag.set(60);
  auto page = parse_exposition(all.render());
  EXPECT_EQ(page.count("troupe_consumer_lag_messages"), 0U);
  EXPECT_EQ(page.types.count("troupe_consumer_lag_messages"), 0U) << "no heading without a series";
  EXPECT_EQ(&all.gauge("troupe_consumer_lag_messages", mine), &lag);
  EXPECT_EQ(parse_exposition(all.render()).count("troupe_consumer_lag_messages"), 1U);
}

TEST(Registry, refreshers_run_before_each_rendering_and_may_use_the_registry) {
  registry all;
  int scrapes = 0;
  all.on_scrape([&] { all.gauge("troupe_hung_handlers", {{"actor", "a"}}).set(++scrapes); });
  EXPECT_EQ(parse_exposition(all.render()).at("troupe_hung_handlers", {{"actor", "a"}}), 1);
  EXPECT_EQ(parse_exposition(all.render()).at("troupe_hung_handlers", {{"actor", "a"}}), 2);
}

TEST(Registry, tells_about_the_process_itself) {
  registry all;
  const auto page = parse_exposition(all.render());
  EXPECT_GT(page.at("process_resident_memory_bytes"), 1e6);
  EXPECT_GT(page.at("process_virtual_memory_bytes"), page.at("process_resident_memory_bytes"));
  EXPECT_GE(page.at("process_cpu_seconds_total"), 0);
  EXPECT_GE(page.at("process_open_fds"), 3);
  EXPECT_GT(page.at("process_max_fds"), page.at("process_open_fds"));
  EXPECT_GE(page.at("process_threads"), 1);
  const auto now = static_cast<double>(std::time(nullptr));
  EXPECT_LT(page.at("process_start_time_seconds"), now + 5);
  EXPECT_GT(page.at("process_start_time_seconds"), now - 3600);
}

TEST(Registry, open_descriptors_are_counted) {
  registry all;
  const double before = parse_exposition(all.render()).at("process_open_fds");
  std::FILE* one_more = std::fopen("/dev/null", "r");
  EXPECT_EQ(parse_exposition(all.render()).at("process_open_fds"), before + 1);
  std::fclose(one_more);
}

TEST(Registry, counts_exactly_from_many_threads_while_it_is_rendered) {
  registry all;
  std::atomic<bool> stop{false};
  std::atomic<int> broken_pages{0};
  std::thread scraper{[&] {
    do {
      try {
        (void)parse_exposition(all.render());
      } catch (const std::exception&) {
        ++broken_pages;
      }
    } while (!stop);
  }};
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t)
    writers.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        all.counter("troupe_rebalances_total", {{"group", std::to_string(i % 7)}}).add();
        all.histogram("troupe_redis_flush_duration_seconds").observe(0.02 * (i % 5));
      }
    });
  for (auto& w : writers)
    w.join();
  stop = true;
  scraper.join();
  EXPECT_EQ(broken_pages, 0);
  const auto page = parse_exposition(all.render());
  double sum = 0;
  for (const auto& s : page.samples)
    if (s.name == "troupe_rebalances_total") sum += s.value;
  EXPECT_EQ(sum, 80'000);
  EXPECT_EQ(page.at("troupe_redis_flush_duration_seconds_count"), 80'000);
  EXPECT_NEAR(page.at("troupe_redis_flush_duration_seconds_sum"), 80'000 * 0.04, 1e-3);
}

#ifdef NDEBUG
TEST(Registry, a_name_outside_the_catalogue_is_rendered_untyped) {
  registry all;
  all.counter("unheard_of", {{"a", "b"}}).add(2);
  const auto page = parse_exposition(all.render());
  EXPECT_EQ(page.at("unheard_of", {{"a", "b"}}), 2);
  EXPECT_EQ(page.types.count("unheard_of"), 0U);
}
#else
TEST(RegistryDeathTest, a_name_outside_the_catalogue_is_a_bug) {
  EXPECT_DEATH(
      {
        registry all;
        all.counter("unheard_of");
      },
      "catalogue");
}
TEST(RegistryDeathTest, a_counter_used_as_a_gauge_is_a_bug) {
  EXPECT_DEATH(
      {
        registry all;
        all.gauge("troupe_attempts_total");
      },
      "catalogue");
}
#endif

} // namespace
} // namespace troupe::metrics
