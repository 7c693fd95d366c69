#include "engine/kafka/connection.hpp"
#include "engine/kafka/properties_together.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace troupe::kafka {
namespace {

std::string refusal(const std::string& section, const std::string& name, const std::string& value) {
  const auto checked = check_property(section, name, value);
  if (checked) return "accepted";
  EXPECT_EQ(checked.failure().code, errc::bad_config);
  return checked.failure().detail;
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Properties, refuses_what_a_promise_stands_on_and_says_why) {
  for (const auto* name :
       {"group.id", "group.instance.id", "enable.auto.commit", "auto.commit.interval.ms",
        "enable.auto.offset.store", "auto.offset.reset", "isolation.level", "partition.assignment.strategy",
        "transactional.id", "enable.idempotence", "acks", "request.required.acks", "partitioner",
        "bootstrap.servers", "metadata.broker.list", "enable.partition.eof", "test.mock.num.brokers",
        "rebalance_cb"}) {
    const auto text = refusal("properties", name, "1");
    EXPECT_TRUE(says(text, std::string{name} + " cannot be set here: ")) << text;
  }
  EXPECT_TRUE(says(refusal("properties", "group.id", "g"), "consume.group"));
  EXPECT_TRUE(says(refusal("consumer", "group.instance.id", "me"), "consume.static"));
  EXPECT_TRUE(says(refusal("producer", "acks", "0"), "publish"));
  EXPECT_TRUE(says(refusal("properties", "bootstrap.servers", "x:1"), "kafka.brokers"));
}

TEST(Properties, refuses_in_the_librarys_own_words) {
  EXPECT_TRUE(says(refusal("properties", "security.protocl", "ssl"), "No such configuration property"));
  EXPECT_TRUE(says(refusal("properties", "security.protocol", "tls"), "security.protocol"));
  EXPECT_TRUE(says(refusal("producer", "linger.ms", "soon"), "linger.ms: "))
      << "also where librdkafka names its alias";
  EXPECT_TRUE(says(refusal("consumer", "session.timeout.ms", "0"), "session.timeout.ms"));
}

TEST(Properties, refuses_what_the_other_role_would_not_heed) {
  EXPECT_TRUE(says(refusal("producer", "fetch.wait.max.ms", "5"), "consumer"));
  EXPECT_TRUE(says(refusal("consumer", "linger.ms", "5"), "producer"));
}

TEST(Properties, lets_everything_else_through) {
  EXPECT_EQ(refusal("properties", "client.id", "shop"), "accepted");
  EXPECT_EQ(refusal("properties", "security.protocol", "sasl_ssl"), "accepted");
  EXPECT_EQ(refusal("properties", "fetch.wait.max.ms", "5"), "accepted");
  EXPECT_EQ(refusal("consumer", "client.rack", "a"), "accepted");
  EXPECT_EQ(refusal("consumer", "session.timeout.ms", "9000"), "accepted");
  EXPECT_EQ(refusal("consumer", "queued.min.messages", "5000"), "accepted");
  EXPECT_EQ(refusal("producer", "linger.ms", "20"), "accepted");
  EXPECT_EQ(refusal("producer", "compression.type", "lz4"), "accepted");
  EXPECT_EQ(refusal("producer", "message.max.bytes", "2000000"), "accepted");
}

TEST(Properties, are_refused_together_where_none_is_wrong_by_itself) {
  using testing::ElementsAre;
  using testing::HasSubstr;
  connection to{.brokers = "nowhere:1", .common = {}, .consumer = {}, .producer = {}};
  EXPECT_THAT(check_together(to), testing::IsEmpty());
  to.consumer = {{"fetch.max.bytes", "1000"}};
  EXPECT_THAT(check_together(to),
              ElementsAre(testing::AllOf(HasSubstr("kafka.consumer"), HasSubstr("fetch.max.bytes"))));
  to.common = {{"message.max.bytes", "1000"}};
  EXPECT_THAT(check_together(to), testing::IsEmpty());
  to = {
      .brokers = "nowhere:1", .common = {{"reconnect.backoff.max.ms", "1"}}, .consumer = {}, .producer = {}};
  EXPECT_THAT(check_together(to), ElementsAre(HasSubstr("kafka.consumer"), HasSubstr("kafka.producer")));
}

TEST(Properties, of_security_need_no_files_to_be_checked) {
  const connection to{.brokers = "nowhere:1",
                      .common = {{"security.protocol", "ssl"}, {"ssl.ca.location", "/nowhere/ca.pem"}},
                      .consumer = {},
                      .producer = {}};
  EXPECT_THAT(check_together(to), testing::IsEmpty());
}

TEST(Properties, know_the_version_of_the_library) {
  EXPECT_TRUE(says(library_version(), "."));
}

} // namespace
} // namespace troupe::kafka
