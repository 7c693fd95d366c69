#include "engine/json/extractor.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <random>

namespace troupe::json {

namespace {

using namespace std::string_literals;

std::string nested(std::size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

extractor of(std::initializer_list<std::string_view> places) {
  std::vector<pointer> all;
  for (const auto place : places)
    all.push_back(*pointer::parse(place));
  return extractor{all};
}

using kind = extractor::kind;

} // namespace

TEST(JsonExtractor, refuses_whatever_is_not_json_even_in_places_nobody_asks_for) {
  auto nothing_wanted = of({}), all_wanted = of({"", "/a", "/0"});
  const std::vector<std::string> refused{
      "",
      " ",
      "\0"s,
      "nul",
      "tru",
      "truex",
      "[true\0]"s,
      "[1\0]"s,
      "true false",
      "[true\"x\"]",
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
      nested(extractor::max_depth + 1),
      nested(100'000),
      std::string(100'000, '['),
      [] {
        std::string deep;
        for (int i = 0; i < 100'000; ++i)
          deep += R"({"a":)";
        return deep;
      }(),
  };
  for (auto* x : {&nothing_wanted, &all_wanted}) {
    for (const auto& text : refused) {
      EXPECT_FALSE(x->read(text)) << text.substr(0, 60);
      EXPECT_FALSE(x->problem().empty());
      for (std::size_t i = 0; x == &all_wanted && i < 3; ++i)
        EXPECT_EQ((*x)[i].what, kind::missing) << text.substr(0, 60);
      ASSERT_TRUE(x->read(R"({"a":"still works"})"));
    }
  }
}

TEST(JsonExtractor, takes_all_that_is_json) {
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
                                       nested(extractor::max_depth - 1),
                                       R"({"a":1e999})",
                                       R"({"a":)" + std::string(400, '9') + "}",
                                       "{\"a\":0." + std::string(400, '3') + "}"};
  auto nothing_wanted = of({}), all_wanted = of({"", "/a", "/0"});
  for (const auto& text : taken) {
    EXPECT_TRUE(nothing_wanted.read(text)) << text << ": " << nothing_wanted.problem();
    EXPECT_TRUE(all_wanted.read(text)) << text << ": " << all_wanted.problem();
  }
}

TEST(JsonExtractor, refuses_every_prefix_of_an_event) {
  const std::string event =
      R"({"type":"page_view","payload":{"path":"/\u00e4 b","n":[1,2.5e3,true,null]},"é":"ü"})";
  auto x = of({"/type", "/payload/path"});
  ASSERT_TRUE(x.read(event));
  for (std::size_t n = 0; n < event.size(); ++n)
    EXPECT_FALSE(x.read(event.substr(0, n))) << n;
}

TEST(JsonExtractor, agrees_with_the_dom_parser_on_broken_events) {
  const std::string event =
      R"( {"type":"page_view","n":[1,-2.5e3,true,null,[],{"x":{}}],"payload":{"path":"/\u00e4 b"},"é":"\"ü"} )";
  std::mt19937 random{11};
  const auto pick = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>{0, n - 1}(random);
  };
  auto x = of({"/type", "/n/1", "/payload/path"});
  simdjson::dom::parser dom;
  std::size_t taken = 0;
  for (int round = 0; round < 50'000; ++round) {
    auto text = event;
    for (auto changes = 1 + pick(3); changes > 0; --changes) {
      static constexpr std::string_view bytes = "{}[],:\"\\ 0123456789eE+-.tfnaulrs\x01\x80\xc3\n";
      const auto where = pick(text.size());
      if (const auto how = pick(3); how == 0)
        text[where] = bytes[pick(bytes.size())];
      else if (how == 1)
        text.insert(where, 1, bytes[pick(bytes.size())]);
      else
        text.erase(where, 1 + pick(3));
    }
    const bool valid = dom.parse(text).error() == simdjson::SUCCESS;
    taken += valid ? 1 : 0;
    ASSERT_EQ(x.read(text), valid) << text << ": " << x.problem();
  }
  EXPECT_GT(taken, 1000U);
}

TEST(JsonExtractor, gives_strings_unescaped_and_numbers_as_written) {
  auto x = of({"/s",    "/n", "/e", "/i", "/big", "/t",    "/f",   "/l/1/0", "/l/1/1", "/l/3",
               "/null", "/o", "/l", "",   "/{[",  "/l/01", "/l/-", "/l/4",   "/s/0",   "/none"});
  const std::vector<std::pair<kind, std::string_view>> expected{
      {kind::string, "aé\n\"b"},
      {kind::number, "1.50"},
      {kind::number, "1E2"},
      {kind::number, "-0"},
      {kind::number, "18446744073709551615"},
      {kind::boolean, "true"},
      {kind::boolean, "false"},
      {kind::number, "0.10"},
      {kind::number, "7"},
      {kind::number, "-3e-2"},
      {kind::null, ""},
      {kind::object, ""},
      {kind::array, ""},
      {kind::object, ""},
      {kind::string, "x"},
      {kind::missing, ""},
      {kind::missing, ""},
      {kind::missing, ""},
      {kind::missing, ""},
      {kind::missing, ""},
  };
  ASSERT_TRUE(x.read(R"( {"s":"a\u00e9\n\"b","{[":"x","n" : 1.50 ,"e":1E2,"i":-0,"big":18446744073709551615,)"
                     R"("t":true,"f":false,"null":null,"o":{},"l":[{"x":"],}"},[0.10,7],"\\",-3e-2]})"));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(x[i].what, expected[i].first) << i;
    EXPECT_EQ(x[i].text, expected[i].second) << i;
  }
  EXPECT_TRUE(x[0].is_string() && x[0].has_text());
  EXPECT_TRUE(!x[1].is_string() && x[1].has_text());
  EXPECT_TRUE(x[5].has_text());
  EXPECT_FALSE(x[10].has_text() || x[11].has_text() || x[12].has_text() || x[15].has_text());
  auto root = of({""});
  ASSERT_TRUE(root.read(" 12.0"));
  EXPECT_EQ(root[0].text, "12.0");
  ASSERT_TRUE(root.read("[] "));
  EXPECT_EQ(root[0].what, kind::array);
}

TEST(JsonExtractor, finds_keys_however_they_are_written) {
  auto x = of({"/a~1b", "/é", "/a\"b", "/a\":\"b"});
  ASSERT_TRUE(x.read(R"({"\u0061/b":"1","\u00e9":"2","a\"b":"3","a\":\"b":"4"})"));
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_EQ(x[i].text, std::to_string(i + 1));
  ASSERT_TRUE(x.read(R"({"a/b":"1","é":"2"})"));
  EXPECT_EQ(x[0].text, "1");
  EXPECT_EQ(x[1].text, "2");
  // A key with a quote is not found across the quotes of others.
  ASSERT_TRUE(x.read(R"({"a":"b"})"));
  EXPECT_EQ(x[2].what, kind::missing);
  EXPECT_EQ(x[3].what, kind::missing);
}

TEST(JsonExtractor, takes_the_last_of_duplicate_keys) {
  auto x = of({"/a/x", "/b", "/a"});
  ASSERT_TRUE(x.read(R"({"a":{"x":1,"x":2},"a":{"x":3.0,"x":4.0},"b":"first","b":"last"})"));
  EXPECT_EQ(x[0].text, "4.0");
  EXPECT_EQ(x[1].text, "last");
  ASSERT_TRUE(x.read(R"({"a":{"x":1},"b":"first","a":{},"b":null})"));
  EXPECT_EQ(x[0].what, kind::missing);
  EXPECT_EQ(x[1].what, kind::null);
  EXPECT_EQ(x[2].what, kind::object);
  ASSERT_TRUE(x.read(R"({"b":1})"));
  EXPECT_EQ(x[2].what, kind::missing) << "of the event before";
}

TEST(JsonExtractor, lets_go_of_the_memory_of_one_large_event) {
  auto x = of({""});
  ASSERT_TRUE(x.read("{}"));
  const auto before = x.capacity();
  ASSERT_TRUE(x.read("\"" + std::string(std::size_t{3} << 20, 'x') + "\""));
  EXPECT_GT(x.capacity(), std::size_t{3} << 20);
  ASSERT_TRUE(x.read("{}"));
  EXPECT_EQ(x.capacity(), before);
  EXPECT_FALSE(x.read(std::string(extractor::max_bytes + 1, ' ')));
}

TEST(JsonExtractor, needs_no_padding_behind_the_text) {
  auto x = of({""});
  for (std::size_t n = 1; n < 300; ++n) {
    const std::string text = "\"" + std::string(n, 'a') + "\"";
    const auto exact = std::make_unique<char[]>(text.size());
    std::copy(text.begin(), text.end(), exact.get());
    ASSERT_TRUE(x.read({exact.get(), text.size()}));
    EXPECT_EQ(x[0].text, std::string(n, 'a'));
  }
}

namespace {

const std::vector<std::string_view> watched{
    "/type", "/n/1", "/payload/path", "/payload", "/payload/reference", ""};

struct reading {
  bool taken;
  std::vector<std::pair<kind, std::string>> found;
  bool operator==(const reading&) const = default;
};

extractor watching() {
  std::vector<pointer> all;
  for (const auto place : watched)
    all.push_back(*pointer::parse(place));
  return extractor{all};
}

reading reading_of(const extractor& x, bool taken) {
  reading out{taken, {}};
  for (std::size_t i = 0; i < watched.size(); ++i)
    out.found.emplace_back(x[i].what, x[i].text);
  return out;
}

/// Each is read as it would be alone, and what was found in it stays until it is settled.
void expect_as_alone(extractor& x, const std::vector<std::string>& events) {
  texts all;
  for (const auto& e : events)
    all.add(e);
  auto alone = watching();
  std::size_t expected = 0;
  std::vector<std::pair<std::string_view, std::string>> unsettled;
  x.read_all(
      all,
      [&](std::size_t i, bool taken) {
        ASSERT_EQ(i, expected++);
        const auto same = reading_of(alone, alone.read(events[i]));
        ASSERT_EQ(reading_of(x, taken), same) << events[i].substr(0, 200);
        ASSERT_EQ(x.problem().empty(), taken);
        for (std::size_t p = 0; p < watched.size(); ++p)
          if (x[p].is_string()) unsettled.emplace_back(x[p].text, x[p].text);
      },
      [&] {
        for (const auto& [there, was] : unsettled)
          EXPECT_EQ(there, was);
        unsettled.clear();
      });
  ASSERT_EQ(expected, events.size());
  EXPECT_TRUE(unsettled.empty());
}

} // namespace

TEST(JsonTexts, are_read_as_each_of_them_alone) {
  auto x = watching();
  const std::string view =
      R"({"type":"page_view","n":[1,2.5],"payload":{"path":"/a","referrer":"x"},"ok":true})";
  expect_as_alone(x, {});
  expect_as_alone(x, {view});
  expect_as_alone(x, {view, "", " ", view, "{}", "[]", "7", "\"x\"", view});
  // What would be JSON together, or hides what comes behind it.
  expect_as_alone(x, {view, "[1", ",2]", view, "{\"type\":\"a", "b\"}", view});
  expect_as_alone(x, {"1", "2", view, "{\"n\":[1,2]", "}", view, "tr", "ue", "{}\\", "\"a\"", view});
  expect_as_alone(x, {view, "{}\n\x01\n{}", view, "\x01", "{\"type\":\x01}", view});
  expect_as_alone(x, {view, "\xe2\x82", "\xac", view, "{\"type\":\"\xff\"}", view});
  expect_as_alone(x, {view, R"({"type":"\u0070age"})", R"({"type":"\x"})", R"({"\u0074ype":"t"})", view});
  expect_as_alone(x, {view, nested(extractor::max_depth), view, nested(extractor::max_depth + 1), view});
  expect_as_alone(x, {view, "{\"type\":\"" + std::string(100'000, 'x') + "\"}", view});
}

TEST(JsonTexts, that_are_made_alike_but_for_what_counts_are_told_apart) {
  auto x = watching();
  const std::vector<std::string> events{
      R"({"type":"a","n":[1,2],"payload":{"path":"/a","referrer":"x"}})",
      R"({"typo":"a","n":[1,2],"payload":{"path":"/a","referrer":"x"}})",
      R"({"type":"a","m":[1,2],"payload":{"path":"/a","referrer":"x"}})",
      R"({"type":"a","n":[1,"2"],"payload":{"path":"/a","referrer":"x"}})",
      R"({"type":"a","n":[1,02],"payload":{"path":"/a","referrer":"x"}})",
      R"({"type":"a","n":[1,nul],"payload":{"path":"/a","referrer":"x"}})",
      R"({"type":"a","n":[1,true],"payload":{"path":"/a","referrer":"x"}})",
      R"({"type":"a","n":[1,2],"payloads":{"path":"/a","referrer":"x"}})",
      R"({"type":"a","n":[1,2],"payload":{"path":"/a","reference":"x"}})",
      R"({"type":"a","n":[1,2],"payload":{"path":"/a","referencer":"x"}})",
      R"({"type":"a","n":[1,2],"payload":{"path":"/a","path":"/b"}})",
      R"({"type":"a","n":[1,2],"type":{"path":"/a","referrer":"x"}})",
      R"({"type":"a","n":[1,2],"payload":["path","/a","referrer","x"]})",
      R"({"type":"a","n":[1,2],"payload":{"path":"/a","referrer":"x"}} )",
      R"( { "type" : "a" , "n" : [ 1 , 2 ] , "payload" : { "path" : "/a" , "referrer" : "x" } } )",
      R"({"type":"a","n":[1,2],"payload":{"path":"/a","referrer":"x"},})",
      R"({"type":"a","n":[1,2],"payload":{"path":"/a","referrer":"x"}]})",
      R"({"type":"a","n":[1,2],"payload":{"path":"/a","referrer","x"}})",
  };
  // Whichever was learned, each comes right behind it.
  for (const auto& learned : events) {
    auto fresh = watching();
    for (const auto& other : events)
      expect_as_alone(fresh, {learned, learned, other, learned});
  }
  for (int round = 0; round < 20; ++round)
    expect_as_alone(x, events);
}

TEST(JsonTexts, are_read_as_each_of_them_alone_however_they_are_broken) {
  const std::vector<std::string> kinds{
      R"({"type":"page_view","n":[1,-2.5e3,true,null,[],{"x":{}}],"payload":{"path":"/b"},"é":"ü"})",
      R"({"type":"click","payload":{"reference":"y","path":"/c"}})", R"({"n":[0,false],"type":"search"})"};
  std::mt19937 random{13};
  const auto pick = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>{0, n - 1}(random);
  };
  auto x = watching();
  for (int round = 0; round < 1'000; ++round) {
    std::vector<std::string> events;
    for (auto n = 1 + pick(60); n > 0; --n) {
      auto text = kinds[pick(kinds.size())];
      for (auto changes = pick(8) == 0 ? 1 + pick(2) : 0; changes > 0; --changes) {
        // Half of the rounds without what breaks all of a chunk.
        static constexpr std::string_view bytes = "{}[],: 0123456789eE+-.tfnaulrs\n\"\\\x01\x80\xc3";
        text[pick(text.size())] = bytes[pick(round % 2 == 0 ? bytes.size() : bytes.size() - 5)];
      }
      events.push_back(text);
    }
    expect_as_alone(x, events);
    if (testing::Test::HasFatalFailure()) return;
  }
}

} // namespace troupe::json
