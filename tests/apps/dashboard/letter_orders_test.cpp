#include "apps/dashboard/letter_orders.hpp"

#include <gtest/gtest.h>

namespace troupe::dashboard {
namespace {

constexpr std::int64_t noon = 1769860800000; // 2026-01-31T12:00:00Z

TEST(LetterOrder, is_read_whole) {
  const auto asked =
      read_order(R"({"topic": "t.a.dlq", "action": "replay", "where": ["error~timeout", "key!=x"],
    "since": "1h", "letters": [{"partition": 0, "offset": 17}, {"partition": 2, "offset": 0}],
    "to_source": true, "force": true, "count": 2, "typed": "t"})",
                 noon);
  ASSERT_TRUE(asked) << asked.failure().detail;
  EXPECT_EQ(asked->order.topic, "t.a.dlq");
  EXPECT_EQ(asked->order.what, deadletters::action::replayed);
  EXPECT_EQ(asked->order.which.where.size(), 2U);
  EXPECT_EQ(asked->order.which.since, "2026-01-31T11:00:00.000Z");
  EXPECT_EQ(asked->order.which.among, (std::set<std::pair<std::int32_t, std::int64_t>>{{0, 17}, {2, 0}}));
  EXPECT_TRUE(asked->order.to_source && asked->order.force);
  EXPECT_EQ(asked->count, 2U);
  EXPECT_EQ(asked->typed, "t");
}

TEST(LetterOrder, of_all_letters_names_none) {
  const auto asked = read_order(R"({"topic": "t", "action": "discard"})", noon);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->order.what, deadletters::action::discarded);
  EXPECT_TRUE(asked->order.which.among.empty());
  EXPECT_FALSE(asked->count || asked->order.force || asked->order.to_source);
}

TEST(LetterOrder, that_is_not_as_it_must_be_is_refused_by_the_name_of_the_field) {
  const std::string begin = R"({"topic": "t", "action": "replay", )";
  for (const auto& [body, field] : std::vector<std::pair<std::string, std::string>>{
           {"", "JSON object"},
           {"[]", "JSON object"},
           {R"({"action": "replay"})", "topic"},
           {R"({"topic": "t"})", "action"},
           {R"({"topic": "t", "action": "delete"})", "action"},
           {begin + R"("where": "error~x"})", "where"},
           {begin + R"("where": [1]})", "where"},
           {begin + R"("where": ["error"]})", "no condition"},
           {begin + R"("since": "yesterday"})", "yesterday"},
           {begin + R"("force": "yes"})", "force"},
           {begin + R"("to_source": 1})", "to_source"},
           {begin + R"("count": -1})", "count"},
           {begin + R"("count": 1.5})", "count"},
           {begin + R"("letters": []})", "letters"}, // nothing chosen must not mean everything
           {begin + R"("letters": [17]})", "letters"},
           {begin + R"("letters": [{"partition": 0}]})", "letters"},
           {begin + R"("letters": [{"partition": -1, "offset": 0}]})", "letters"},
           {begin + R"("letters": [{"partition": 4294967296, "offset": 0}]})", "letters"}}) {
    const auto asked = read_order(body, noon);
    ASSERT_FALSE(asked) << body;
    EXPECT_EQ(asked.failure().code, errc::usage);
    EXPECT_NE(asked.failure().detail.find(field), std::string::npos)
        << body << ": " << asked.failure().detail;
  }
}

TEST(LetterOrder, names_a_thousand_letters_at_most) {
  const auto with = [](std::size_t n) {
    std::string list;
    for (std::size_t i = 0; i < n; ++i)
      list += (i ? "," : "") + std::string{R"({"partition":0,"offset":)"} + std::to_string(i) + '}';
    return read_order(R"({"topic":"t","action":"replay","letters":[)" + list + "]}", noon).ok();
  };
  EXPECT_TRUE(with(most_chosen));
  EXPECT_FALSE(with(most_chosen + 1));
}

TEST(LetterFilter, tells_whether_it_looks_at_payloads) {
  const auto deaths_only = [](const std::string& condition) {
    return looks_at_deaths_only(*read_filter({"error~timeout", condition}, "", noon));
  };
  for (const auto* fine : {"partition=0", "offset=17", "topic=t", "error-class=decode", "actor!=a",
                           "attempts=5", "original-topic=x", "replay-count=1"})
    EXPECT_TRUE(deaths_only(fine)) << fine;
  for (const auto* not_fine : {"key=customer-1", "value~card", "mine=1", "traceparent~00"})
    EXPECT_FALSE(deaths_only(not_fine)) << not_fine;
}

TEST(LetterEdit, needs_a_place_and_a_text) {
  const auto asked = read_edit(R"({"topic": "t", "partition": 1, "offset": 5, "value": "{}"})");
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->partition, 1);
  EXPECT_EQ(asked->offset, 5);
  EXPECT_EQ(asked->value, "{}");
  for (const auto* body : {"{}", R"({"topic": "t", "partition": 1, "offset": 5})",
                           R"({"topic": "t", "partition": 1, "offset": 5, "value": {}})",
                           R"({"topic": "t", "partition": "1", "offset": 5, "value": ""})"})
    EXPECT_FALSE(read_edit(body)) << body;
}

TEST(LetterQuestion, is_read_from_an_address) {
  const auto asked =
      read_question({{"topic", "t"}, {"where", "error~a"}, {"where", "key=b"}, {"max", "5000"}}, noon);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->topic, "t");
  EXPECT_EQ(asked->which.where.size(), 2U);
  EXPECT_EQ(asked->most, most_shown);
  EXPECT_EQ(read_question({{"topic", "t"}}, noon)->most, letters_shown);
  EXPECT_NE(read_question({{"topic", "t"}, {"since", "1h"}}, noon)->text,
            read_question({{"topic", "t"}}, noon)->text);
  for (const auto* bad : {"-1", "many", "5x"})
    EXPECT_FALSE(read_question({{"topic", "t"}, {"max", bad}}, noon)) << bad;
  EXPECT_FALSE(read_question({{"topic", "t"}, {"where", "error"}}, noon));
}

TEST(LetterPlace, is_two_whole_numbers) {
  EXPECT_EQ(*read_place("2", "918"), (std::pair<std::int32_t, std::int64_t>{2, 918}));
  for (const auto& [partition, offset] : std::vector<std::pair<std::string, std::string>>{
           {"", "1"}, {"1", ""}, {"-1", "1"}, {"1", "-1"}, {"1 ", "1"}, {"99999999999", "1"}, {"a", "1"}})
    EXPECT_FALSE(read_place(partition, offset)) << partition << ' ' << offset;
}

} // namespace
} // namespace troupe::dashboard
