#include "engine/json/split.hpp"

#include <gtest/gtest.h>

namespace troupe::json {
namespace {

using texts = std::vector<std::string>;

TEST(JsonSplit, leaves_an_object_as_it_is) {
  EXPECT_EQ(split_events(R"( {"a":[1,2]} )"), texts{R"( {"a":[1,2]} )"});
}

TEST(JsonSplit, takes_the_elements_of_an_array_byte_for_byte) {
  EXPECT_EQ(split_events(" [ {\"a\": 1.50, \"b\":\"\\u00e4\"} ,\n[1, {}],\"x,]\\\"[\",null\t]\n"),
            (texts{R"({"a": 1.50, "b":"\u00e4"})", "[1, {}]", R"("x,]\"[")", "null"}));
  EXPECT_EQ(split_events("[ ]"), texts{});
}

TEST(JsonSplit, takes_numbers_of_any_size) {
  EXPECT_EQ(split_events(R"({"n":123456789012345678901234567890})"),
            texts{R"({"n":123456789012345678901234567890})"});
  EXPECT_EQ(split_events("[123456789012345678901234567890,1e999]"),
            (texts{"123456789012345678901234567890", "1e999"}));
}

TEST(JsonSplit, takes_nothing_else) {
  for (const char* text : {"", " ", "7", "\"[]\"", "[1,]", "[1", "{]", "[1]x"})
    EXPECT_FALSE(split_events(text)) << text;
}

} // namespace
} // namespace troupe::json
