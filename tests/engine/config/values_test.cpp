#include "engine/config/values.hpp"

#include <gtest/gtest.h>

namespace troupe::config {
namespace {

using namespace std::chrono_literals;

TEST(ConfigValues, durations_have_a_unit) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("5s"), 5s);
  EXPECT_EQ(parse_duration("1m"), 1min);
  EXPECT_EQ(parse_duration("48h"), 48h);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("0s"), 0ms);
  for (const auto* wrong : {"", "s", "30", "5us", "5 s", "-5s", "5S", "1e3s", "1m30s", ".5s", "5.s", "0.5ms",
                            "0x5s", "99999999999999999999s", "999999999999999h", "5d", "+5s"})
    EXPECT_EQ(parse_duration(wrong), std::nullopt) << wrong;
}

TEST(ConfigValues, sizes_are_binary_or_decimal) {
  EXPECT_EQ(parse_size("512B"), 512U);
  EXPECT_EQ(parse_size("64KiB"), 65'536U);
  EXPECT_EQ(parse_size("16MiB"), 16'777'216U);
  EXPECT_EQ(parse_size("1GiB"), 1'073'741'824U);
  EXPECT_EQ(parse_size("1KB"), 1000U);
  EXPECT_EQ(parse_size("2MB"), 2'000'000U);
  EXPECT_EQ(parse_size("0.5MiB"), 524'288U);
  for (const auto* wrong : {"", "B", "16", "16mib", "16M", "-1B", "0.5B", "16 MiB", "99999999999GiB"})
    EXPECT_EQ(parse_size(wrong), std::nullopt) << wrong;
}

TEST(ConfigValues, ratios_are_shares_or_percent) {
  EXPECT_DOUBLE_EQ(parse_ratio("0.2").value(), 0.2);
  EXPECT_DOUBLE_EQ(parse_ratio("20%").value(), 0.2);
  EXPECT_DOUBLE_EQ(parse_ratio("1").value(), 1);
  EXPECT_DOUBLE_EQ(parse_ratio("0.5%").value(), 0.005);
  for (const auto* wrong : {"", "%", ".", "nan", "inf", "-0.1", "1e-1", "0.2.1", "20 %", "20%%"})
    EXPECT_EQ(parse_ratio(wrong), std::nullopt) << wrong;
}

TEST(ConfigValues, counts_are_decimal_digits) {
  EXPECT_EQ(parse_count("16"), 16U);
  for (const auto* wrong : {"", "0x10", "1e3", "-1", "+1", "1.0", "1_000", "99999999999999999999"})
    EXPECT_EQ(parse_count(wrong), std::nullopt) << wrong;
}

TEST(ConfigValues, numbers_are_written_back_in_the_unit_that_fits) {
  EXPECT_EQ(written_duration(90'000), "90s");
  EXPECT_EQ(written_duration(3'600'000), "1h");
  EXPECT_EQ(written_duration(1), "1ms");
  EXPECT_EQ(written_size(1024), "1KiB");
  EXPECT_EQ(written_size(1000), "1000B");
  EXPECT_EQ(written_number(0.001), "0.001");
  EXPECT_EQ(written_number(10'000), "10000");
}

TEST(ConfigValues, topics_are_what_kafka_takes) {
  EXPECT_FALSE(topic_complaint("order.placed_2-x"));
  EXPECT_FALSE(topic_complaint(std::string(249, 'a')));
  for (const auto& wrong : {std::string{}, std::string{"."}, std::string{".."}, std::string{"a b"},
                            std::string{"a/b"}, std::string{"ä"}, std::string(250, 'a')})
    EXPECT_TRUE(topic_complaint(wrong)) << wrong;
}

TEST(ConfigValues, patterns_must_compile_and_stay_small) {
  EXPECT_FALSE(pattern_complaint("^order\\.(placed|paid)$"));
  EXPECT_TRUE(pattern_complaint("^order[.placed"));
  EXPECT_TRUE(pattern_complaint("^(a"));
  EXPECT_TRUE(pattern_complaint("^((((a{1,255}){1,255}){1,255}){1,255})")) << "would ask for gigabytes";
  EXPECT_TRUE(pattern_complaint("^" + std::string(2000, 'a')));
  EXPECT_TRUE(pattern_matches("^order\\.", "order.placed"));
  EXPECT_FALSE(pattern_matches("^order\\.$", "order.placed"));
}

TEST(ConfigValues, pointers_start_with_a_slash) {
  EXPECT_FALSE(pointer_complaint("/payload/path"));
  EXPECT_FALSE(pointer_complaint("/a~1b~0c"));
  for (const auto* wrong : {"", "payload", "/a~", "/a~2"})
    EXPECT_TRUE(pointer_complaint(wrong)) << wrong;
}

TEST(ConfigValues, addresses_have_a_host_and_a_port) {
  for (const auto* fine : {"127.0.0.1:9090", "0.0.0.0:0", "[::1]:9090", "localhost:65535"})
    EXPECT_FALSE(listen_complaint(fine)) << fine;
  for (const auto* wrong :
       {"", "9090", ":9090", "localhost", "localhost:", "localhost:99999", "a b:1", "[::1]", "::1:90"})
    EXPECT_TRUE(listen_complaint(wrong)) << wrong;
  for (const auto* fine : {"localhost", "a:9092,b:9093", "embedded", "SASL_SSL://a:1,[::1]:2"})
    EXPECT_FALSE(brokers_complaint(fine)) << fine;
  for (const auto* wrong : {"", "a,,b", "a,", "a:x", "a, b", "a:9092,embedded", "http://"})
    EXPECT_TRUE(brokers_complaint(wrong)) << wrong;
}

TEST(ConfigValues, urls_have_a_scheme_and_a_host) {
  for (const auto* fine : {"redis://localhost:6379/0", "rediss://u:p@host", "redis://:p@[::1]:6379",
                           "unix:///run/redis.sock?db=0"})
    EXPECT_FALSE(redis_url_complaint(fine)) << fine;
  for (const auto* wrong : {"", "localhost:6379", "http://localhost", "redis://", "redis://h:x",
                            "redis://h/zero", "redis://u:p/q@h", "unix:///"})
    EXPECT_TRUE(redis_url_complaint(wrong)) << wrong;
  for (const auto* fine : {"http://localhost:8000/orders?x=1", "https://[::1]", "http://a"})
    EXPECT_FALSE(http_url_complaint(fine)) << fine;
  for (const auto* wrong :
       {"", "ftp://a", "localhost/x", "http://", "http:///x", "http://a b", "http://a:99999"})
    EXPECT_TRUE(http_url_complaint(wrong)) << wrong;
}

} // namespace
} // namespace troupe::config
