#include "engine/json/extractor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>

namespace troupe::json {

namespace {

pointer at(std::string_view text) {
  auto made = pointer::parse(text);
  EXPECT_TRUE(made.ok()) << text;
  return made ? *made : pointer{};
}

/// What lies at a place of a document: "none" where nothing does, "no text" where no text does.
std::string look(std::string_view json, std::string_view place) {
  const auto wanted = at(place);
  extractor x{std::span{&wanted, 1}};
  EXPECT_TRUE(x.read(json)) << x.problem();
  if (x[0].what == extractor::kind::missing) return "none";
  return x[0].has_text() ? std::string{x[0].text} : "no text";
}

} // namespace

TEST(JsonPointer, finds_what_rfc_6901_finds) {
  const auto* d =
      R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8})";
  EXPECT_EQ(look(d, "/foo/0"), "bar");
  EXPECT_EQ(look(d, "/foo/1"), "baz");
  EXPECT_EQ(look(d, "/"), "0");
  EXPECT_EQ(look(d, "/a~1b"), "1");
  EXPECT_EQ(look(d, "/c%d"), "2");
  EXPECT_EQ(look(d, "/e^f"), "3");
  EXPECT_EQ(look(d, "/g|h"), "4");
  EXPECT_EQ(look(d, "/i\\j"), "5");
  EXPECT_EQ(look(d, "/k\"l"), "6");
  EXPECT_EQ(look(d, "/ "), "7");
  EXPECT_EQ(look(d, "/m~0n"), "8");
  EXPECT_EQ(look(d, ""), "no text");
  EXPECT_EQ(look(d, "/foo"), "no text");
}

TEST(JsonPointer, finds_nothing_where_there_is_nothing) {
  const auto* d = R"({"list":[1,[2,3]],"o":{"0":"zero"},"text":"x"})";
  for (const auto* text : {"/list/2", "/list/-", "/list/01", "/list/1/2", "/list/x", "/list/", "/text/0",
                           "/o/1", "/nothing", "/list/18446744073709551616"})
    EXPECT_EQ(look(d, text), "none") << text;
  EXPECT_EQ(look(d, "/o/0"), "zero");
  EXPECT_EQ(look(d, "/list/1/1"), "3");
}

TEST(JsonPointer, undoes_tilde_one_before_tilde_nought) {
  const auto* d = R"({"~1":"both","/":"slash"})";
  EXPECT_EQ(look(d, "/~01"), "both");
  EXPECT_EQ(look(d, "/~1"), "slash");
}

TEST(JsonPointer, says_what_is_wrong_with_a_pointer) {
  for (const auto* text : {"payload", "#/a", "/a~", "/a~2", "/~"}) {
    const auto made = pointer::parse(text);
    ASSERT_FALSE(made.ok()) << text;
    EXPECT_EQ(made.failure().code, errc::bad_config);
    EXPECT_THAT(made.failure().detail, testing::HasSubstr(text));
  }
}

} // namespace troupe::json
