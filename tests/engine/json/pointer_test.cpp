#include "engine/json/document.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace troupe::json {

namespace {

pointer at(std::string_view text) {
  auto made = pointer::parse(text);
  EXPECT_TRUE(made.ok()) << text;
  return made ? *made : pointer{};
}

} // namespace

TEST(JsonPointer, finds_what_rfc_6901_finds) {
  document d;
  ASSERT_TRUE(d.parse(
      R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8})"));
  EXPECT_EQ(d.text_at(at("/foo/0")), "bar");
  EXPECT_EQ(d.text_at(at("/foo/1")), "baz");
  EXPECT_EQ(d.text_at(at("/")), "0");
  EXPECT_EQ(d.text_at(at("/a~1b")), "1");
  EXPECT_EQ(d.text_at(at("/c%d")), "2");
  EXPECT_EQ(d.text_at(at("/e^f")), "3");
  EXPECT_EQ(d.text_at(at("/g|h")), "4");
  EXPECT_EQ(d.text_at(at("/i\\j")), "5");
  EXPECT_EQ(d.text_at(at("/k\"l")), "6");
  EXPECT_EQ(d.text_at(at("/ ")), "7");
  EXPECT_EQ(d.text_at(at("/m~0n")), "8");
  EXPECT_TRUE(d.exists(at("")));
  EXPECT_EQ(d.text_at(at("/foo")), std::nullopt);
}

TEST(JsonPointer, finds_nothing_where_there_is_nothing) {
  document d;
  ASSERT_TRUE(d.parse(R"({"list":[1,[2,3]],"o":{"0":"zero"},"text":"x"})"));
  for (const auto* text : {"/list/2", "/list/-", "/list/01", "/list/1/2", "/list/x", "/list/", "/text/0",
                           "/o/1", "/nothing", "/list/18446744073709551616"})
    EXPECT_FALSE(d.exists(at(text))) << text;
  EXPECT_EQ(d.string_at(at("/o/0")), "zero");
  EXPECT_EQ(d.text_at(at("/list/1/1")), "3");
}

TEST(JsonPointer, undoes_tilde_one_before_tilde_nought) {
  document d;
  ASSERT_TRUE(d.parse(R"({"~1":"both","/":"slash"})"));
  EXPECT_EQ(d.string_at(at("/~01")), "both");
  EXPECT_EQ(d.string_at(at("/~1")), "slash");
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
