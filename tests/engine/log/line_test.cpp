#include "engine/log/line.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <ctime>
#include <limits>
#include <random>
#include <vector>

namespace troupe::log {
namespace {

constexpr std::int64_t noon = 1'769'860'800'125; // 2026-01-31T12:00:00.125Z

struct Lines : testing::Test {
  void SetUp() override {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }
  static entry of(std::string_view text, const std::vector<field>& fields = {}, level at = level::warning) {
    return {noon, at, "something_happened", text, "shop", fields};
  }
};

TEST_F(Lines, people_see_time_level_text_and_fields) {
  const std::vector<field> fields{{"actor", "inventory"}, {"attempt", std::int64_t{3}}, {"ratio", 0.5}};
  EXPECT_EQ(human_line(of("Redis is away", fields), false),
            "12:00:00.125 WARN  Redis is away  actor=inventory attempt=3 ratio=0.5\n");
  EXPECT_EQ(human_line(of("up", {}, level::info), false), "12:00:00.125 INFO  up\n");
  EXPECT_EQ(human_line(of("x", {}, level::error), false), "12:00:00.125 ERROR x\n");
  EXPECT_EQ(human_line(of("x", {}, level::debug), false), "12:00:00.125 DEBUG x\n");
}

TEST_F(Lines, colour_only_when_asked) {
  EXPECT_EQ(human_line(of("a", {{"b", "c"}}), false).find('\x1b'), std::string::npos);
  EXPECT_NE(human_line(of("a", {{"b", "c"}}), true).find("\x1b["), std::string::npos);
}

TEST_F(Lines, values_with_blanks_or_quotes_are_quoted_for_people) {
  const auto value = [](std::string text) {
    return human_line(of("t", {{"v", std::move(text)}}), false).substr(22);
  };
  EXPECT_EQ(value("plain/1"), "v=plain/1\n");
  EXPECT_EQ(value(""), "v=\"\"\n");
  EXPECT_EQ(value("a b"), "v=\"a b\"\n");
  EXPECT_EQ(value("say \"hi\""), "v=\"say \\\"hi\\\"\"\n");
}

TEST_F(Lines, contents_cannot_break_the_line_or_command_the_terminal) {
  const std::string attack = "x\ny\r\x1b[2J\x7f\xC2\x9B\x07z";
  for (const bool as_field : {false, true}) {
    const auto line = as_field ? human_line(of("t", {{"v", attack}}), false) : human_line(of(attack), false);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    for (const char c : line.substr(0, line.size() - 1))
      EXPECT_GE(static_cast<unsigned char>(c), 0x20);
    EXPECT_EQ(line.find("\xC2\x9B"), std::string::npos);
    EXPECT_NE(line.find("x\\ny\\r\\x1b[2J\\x7f\\x9b\\x07z"), std::string::npos) << line;
  }
}

TEST_F(Lines, json_has_the_common_names_first_and_then_the_fields) {
  const std::vector<field> fields{{"attempt", std::int64_t{3}}, {"took", 0.25}, {"group", "g"}};
  EXPECT_EQ(json_line(of("Redis is away", fields)),
            R"({"ts":"2026-01-31T12:00:00.125Z","level":"warn","msg":"Redis is away",)"
            R"("event":"something_happened","app":"shop","attempt":3,"took":0.25,"group":"g"})"
            "\n");
}

TEST_F(Lines, json_numbers_stay_numbers) {
  const std::vector<field> fields{{"big", std::numeric_limits<std::int64_t>::min()},
                                  {"inf", std::numeric_limits<double>::infinity()},
                                  {"nan", std::numeric_limits<double>::quiet_NaN()},
                                  {"tiny", 1e-300}};
  const auto read = nlohmann::json::parse(json_line(of("t", fields)));
  EXPECT_EQ(read["big"].get<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
  EXPECT_TRUE(read["inf"].is_null());
  EXPECT_TRUE(read["nan"].is_null());
  EXPECT_EQ(read["tiny"].get<double>(), 1e-300);
}

TEST_F(Lines, json_gives_every_unicode_text_back) {
  std::string all;
  for (char c = 1; c < 127; ++c)
    all += c;
  all += '\x7f';
  all += std::string{"\0", 1} + "\xC2\x80\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8E\xAD";
  const auto line = json_line(of(all, {{"v", all}}));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto read = nlohmann::json::parse(line);
  EXPECT_EQ(read["msg"].get<std::string>(), all);
  EXPECT_EQ(read["v"].get<std::string>(), all);
}

TEST_F(Lines, any_bytes_at_all_make_valid_json_on_one_line) {
  std::mt19937 dice{5};
  for (int i = 0; i < 5000; ++i) {
    std::string noise(dice() % 40, ' ');
    for (auto& c : noise)
      c = static_cast<char>(dice());
    const auto line = json_line(of(noise, {{"v", noise}}));
    ASSERT_EQ(line.find('\n'), line.size() - 1);
    const auto read = nlohmann::json::parse(line, nullptr, false);
    ASSERT_FALSE(read.is_discarded()) << testing::PrintToString(noise);
    ASSERT_EQ(read["msg"], read["v"]);
  }
}

} // namespace
} // namespace troupe::log
