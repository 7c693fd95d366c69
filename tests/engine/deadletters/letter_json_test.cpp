#include "engine/deadletters/letter_json.hpp"

#include "engine/deadletters/edited_copy.hpp"
#include "tests/engine/deadletters/fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace troupe::deadletters {
namespace {

record dead_with(std::vector<header> headers) {
  auto event = letter("order.placed", std::move(headers));
  event.value = std::string{"\x00\xff", 2};
  return buried(event, "order.placed.payment.dlq", "payment");
}

TEST(LetterJson, HoldsTextAsItIsAndOtherBytesInHex) {
  const auto all = json_of(dead_with({{"mine", "ä"}, {"null", std::nullopt}}), action::discarded);
  EXPECT_EQ(all["state"], "discarded");
  EXPECT_EQ(all["key"]["text"], "c-17");
  EXPECT_EQ(all["value"]["hex"], "00ff");
  EXPECT_EQ(all["headers"][0]["text"], "ä");
  EXPECT_TRUE(all["headers"][1]["text"].is_null());
}

TEST(LetterJson, HidesWhatTheEventCameWith) {
  const auto hidden =
      json_without_payload(dead_with({{"card", "4111"}, {"traceparent", "00-aa"}}), std::nullopt);
  EXPECT_EQ(hidden["hidden"], true);
  EXPECT_EQ(hidden["state"], "open");
  EXPECT_FALSE(hidden.contains("key"));
  EXPECT_FALSE(hidden.contains("value"));
  EXPECT_EQ(hidden.dump().find("4111"), std::string::npos);
  EXPECT_TRUE(std::any_of(hidden["headers"].begin(), hidden["headers"].end(),
                          [](const auto& h) { return h["name"] == "error"; }));
}

TEST(EditedCopy, IsTheEventAliveAgainWithAnotherValueAndTheNameOfWhoDidIt) {
  const auto copy = make_edited(dead_with({{"mine", "1"}, {"edited-by", "bob"}}),
                                "order.placed.payment.replay", R"({"total": 13})", "alice");
  EXPECT_EQ(copy.topic, "order.placed.payment.replay");
  EXPECT_EQ(copy.key, "c-17");
  EXPECT_EQ(copy.value, R"({"total": 13})");
  std::vector<std::string> editors;
  for (const auto& h : copy.headers) {
    if (h.name == "edited-by") editors.push_back(h.value.value_or(""));
    EXPECT_NE(h.name, "error");
  }
  EXPECT_EQ(editors, std::vector<std::string>{"alice"});
  EXPECT_EQ(flow::replay_count(copy.headers), 1U);
}

} // namespace
} // namespace troupe::deadletters
