#include "engine/json/document.hpp"

#include <gtest/gtest.h>

#include <random>

namespace troupe::json {

namespace {

using namespace std::string_literals;

std::string nested(std::size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

pointer at(std::string_view text) {
  return *pointer::parse(text);
}

} // namespace

TEST(JsonDocument, refuses_whatever_is_not_json_even_in_places_nobody_asks_for) {
  const std::vector<std::string> refused{
      "",
      " ",
      "\0"s,
      "nul",
      "tru",
      "{",
      "}",
      R"({"a":1)",
      R"({"a":"1)",
      R"({"a")",
      R"({"a":})",
      R"({"a":1,})",
      R"([1,])",
      R"([,1])",
      R"({,})",
      R"({"a":1 "b":2})",
      R"({a:1})",
      R"({'a':1})",
      R"({"a":1}x)",
      R"({"a":1}{"b":2})",
      R"({"a":1})" + "\0"s,
      R"({"a":NaN})",
      R"({"a":Infinity})",
      R"({"a":-Infinity})",
      R"({"a":01})",
      R"({"a":1.})",
      R"({"a":.5})",
      R"({"a":+1})",
      R"({"a":-})",
      R"({"a":1e})",
      R"({"a":0x1})",
      R"({"a":1e999})",
      R"({"a":)" + std::string(400, '9') + "}",
      R"({"a":"\x"})",
      R"({"a":"\u12"})",
      R"({"a":"\ud800"})",
      "{\"a\":\"tab\there\"}",
      "{\"a\":\"nul\0here\"}"s,
      "{\"a\":\"\xff\"}",
      "{\"a\":\"\xc0\xaf\"}",         // overlong
      "{\"a\":\"\xed\xa0\x80\"}",     // a surrogate
      "{\"a\":\"\xe2\x82\"}",         // cut off
      "{\"a\":\"\xf4\x90\x80\x80\"}", // beyond U+10FFFF
      "// comment\n1",
      "\xef\xbb\xbf{}",
      nested(document::max_depth + 1),
      nested(100'000),
      std::string(100'000, '['),
      [] {
        std::string deep;
        for (int i = 0; i < 100'000; ++i)
          deep += R"({"a":)";
        return deep;
      }(),
  };
  document d;
  for (const auto& text : refused) {
    EXPECT_FALSE(d.parse(text)) << text.substr(0, 60);
    EXPECT_FALSE(d.problem().empty());
    EXPECT_FALSE(d.is_object());
    EXPECT_FALSE(d.exists(at("")));
    EXPECT_FALSE(d.text_at(at("/a")).has_value());
    ASSERT_TRUE(d.parse(R"({"a":"still works"})"));
  }
}

TEST(JsonDocument, takes_all_that_is_json) {
  const std::vector<std::string> taken{"{}",
                                       "[]",
                                       "1",
                                       "\"x\"",
                                       "true",
                                       "null",
                                       " \t\r\n{} \n",
                                       R"({"a":1,"a":2})",
                                       R"({"a":1e308})",
                                       R"({"a":18446744073709551615,"b":-9223372036854775808})",
                                       R"({"":""})",
                                       R"("\u0000\ud83d\ude00\/")",
                                       "{\"a\":\"\xf0\x9f\x98\x80\"}",
                                       nested(document::max_depth - 1),
                                       "{\"a\":0." + std::string(400, '3') + "}"};
  document d;
  for (const auto& text : taken)
    EXPECT_TRUE(d.parse(text)) << text << ": " << d.problem();
}

TEST(JsonDocument, refuses_every_prefix_of_an_event) {
  const std::string event =
      R"({"type":"page_view","payload":{"path":"/\u00e4 b","n":[1,2.5e3,true,null]},"é":"ü"})";
  document d;
  ASSERT_TRUE(d.parse(event));
  for (std::size_t n = 0; n < event.size(); ++n)
    EXPECT_FALSE(d.parse(event.substr(0, n))) << n;
}

TEST(JsonDocument, gives_strings_unescaped_and_numbers_as_written) {
  document d;
  ASSERT_TRUE(
      d.parse(R"( {"s":"a\u00e9\n\"b","{[":"x","n" : 1.50 ,"e":1E2,"i":-0,"big":18446744073709551615,)"
              R"("t":true,"f":false,"null":null,"o":{},"l":[{"x":"],}"},[0.10,7],"\\",-3e-2]})"));
  EXPECT_TRUE(d.is_object());
  EXPECT_FALSE(d.is_array());
  EXPECT_EQ(d.string_at(at("/s")), "aé\n\"b");
  EXPECT_EQ(d.text_at(at("/s")), "aé\n\"b");
  EXPECT_EQ(d.text_at(at("/n")), "1.50");
  EXPECT_EQ(d.text_at(at("/e")), "1E2");
  EXPECT_EQ(d.text_at(at("/i")), "-0");
  EXPECT_EQ(d.text_at(at("/big")), "18446744073709551615");
  EXPECT_EQ(d.text_at(at("/t")), "true");
  EXPECT_EQ(d.text_at(at("/f")), "false");
  EXPECT_EQ(d.text_at(at("/l/1/0")), "0.10");
  EXPECT_EQ(d.text_at(at("/l/1/1")), "7");
  EXPECT_EQ(d.text_at(at("/l/3")), "-3e-2");
  for (const auto* none : {"/null", "/o", "/l"}) {
    EXPECT_TRUE(d.exists(at(none)));
    EXPECT_FALSE(d.text_at(at(none)).has_value());
  }
  EXPECT_FALSE(d.string_at(at("/n")).has_value());
  EXPECT_FALSE(d.string_at(at("/t")).has_value());
  ASSERT_TRUE(d.parse(" 12.0"));
  EXPECT_EQ(d.text_at(at("")), "12.0");
}

TEST(JsonDocument, takes_the_last_of_duplicate_keys) {
  document d;
  ASSERT_TRUE(d.parse(R"({"a":{"x":1,"x":2},"a":{"x":3.0,"x":4.0},"b":"first","b":"last"})"));
  EXPECT_EQ(d.text_at(at("/a/x")), "4.0");
  EXPECT_EQ(d.string_at(at("/b")), "last");
}

TEST(JsonDocument, finds_every_number_of_random_documents_as_it_was_written) {
  std::mt19937 random{7};
  const auto pick = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>{0, n - 1}(random);
  };
  document d;
  for (int round = 0; round < 500; ++round) {
    std::vector<std::pair<std::string, std::string>> numbers;
    const auto space = [&] { return std::string(pick(3), " \n\t"[pick(3)]); };
    const std::function<std::string(int, std::string)> value = [&](int depth,
                                                                   std::string path) -> std::string {
      static const std::vector<std::string> scalars{"null", "true", R"("a\"]},{:\\")", R"("")", "[]", "{ }"};
      if (depth == 0 || pick(3) == 0) {
        if (pick(2) == 0) return scalars[pick(scalars.size())];
        const auto number = std::to_string(pick(1000)) + (pick(2) == 0 ? ".50" : "");
        numbers.emplace_back(path, number);
        return number;
      }
      const bool list = pick(2) == 0;
      std::string text = list ? "[" : "{";
      const auto n = pick(5);
      for (std::size_t i = 0; i < n; ++i) {
        text += space() + (i ? "," : "") + space();
        if (!list) text += "\"k" + std::to_string(i) + "\"" + space() + ":" + space();
        text += value(depth - 1, path + (list ? "/" : "/k") + std::to_string(i));
      }
      return text + space() + (list ? "]" : "}");
    };
    const auto text = space() + value(5, "") + space();
    ASSERT_TRUE(d.parse(text)) << text;
    for (const auto& [path, number] : numbers)
      EXPECT_EQ(d.text_at(at(path)), number) << path << " of " << text;
  }
}

TEST(JsonDocument, lets_go_of_the_memory_of_one_large_event) {
  document d;
  ASSERT_TRUE(d.parse("{}"));
  const auto before = d.capacity();
  ASSERT_TRUE(d.parse("\"" + std::string(std::size_t{3} << 20, 'x') + "\""));
  EXPECT_GT(d.capacity(), std::size_t{3} << 20);
  ASSERT_TRUE(d.parse("{}"));
  EXPECT_EQ(d.capacity(), before);
}

TEST(JsonDocument, needs_no_padding_behind_the_text) {
  document d;
  for (std::size_t n = 1; n < 300; ++n) {
    const std::string text = "\"" + std::string(n, 'a') + "\"";
    const auto exact = std::make_unique<char[]>(text.size());
    std::copy(text.begin(), text.end(), exact.get());
    ASSERT_TRUE(d.parse({exact.get(), text.size()}));
    EXPECT_EQ(d.string_at(at(""))->size(), n);
  }
}

TEST(JsonStringAt, takes_a_key_out_of_a_body) {
  EXPECT_EQ(string_at(R"({"order_id":"o-1"})", "/order_id"), "o-1");
  EXPECT_EQ(string_at(R"({"order_id":1234567890123456789})", "/order_id"), "1234567890123456789");
  EXPECT_EQ(string_at(R"({"order_id":null})", "/order_id"), std::nullopt);
  EXPECT_EQ(string_at(R"({"order_id":"o-1")", "/order_id"), std::nullopt);
  EXPECT_EQ(string_at(R"({"order_id":"o-1"})", "order_id"), std::nullopt);
}

} // namespace troupe::json
