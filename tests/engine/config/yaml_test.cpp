#include "tests/engine/config/fixture.hpp"

namespace troupe::config {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(ConfigYaml, syntax_errors_have_a_place_and_a_remedy) {
  EXPECT_THAT(only(load_text("a: b: c\n")), StartsWith("1:5+1 a ':' that YAML does not expect here"));
  EXPECT_THAT(only(load_text("actors:\n\ta: 1\n")),
              StartsWith("2:1+1 a tab where an indentation is; use spaces"));
  EXPECT_THAT(only(load_text("app: shop\n\tversion: 1\n")),
              StartsWith("2:1+1 a tab where an indentation is"));
  EXPECT_THAT(only(load_text("actors: [\n")), HasSubstr("not closed by a ']'"));
  EXPECT_THAT(only(load_text("actors: ]\n")), StartsWith("1:9+1 a '}' or ']' that nothing opened"));
  EXPECT_THAT(only(load_text("app: @x\n")),
              StartsWith("1:6+1 a value may not start with this character; quote it"));
  EXPECT_THAT(only(load_text("app: \"\\q\"\n")), HasSubstr("1:"));
  EXPECT_THAT(only(load_text("app: *nothing\n")), StartsWith("1:6+1 this alias repeats an anchor"));
  EXPECT_THAT(only(load_text("app: !!binary x\n")), StartsWith("1:6+1 tags"));
  EXPECT_THAT(only(load_text("? [a]\n: b\n")), HasSubstr("a key must be a word"));
  EXPECT_THAT(only(load_text("~: b\n")), HasSubstr("a key is missing here"));
}

TEST(ConfigYaml, a_quote_that_never_closes_is_told_where_it_opens) {
  EXPECT_THAT(only(load_text("version: 1\napp: 'shop\nactors: {}\n")),
              StartsWith("2:6+1 the quote that opens here (') is never closed"));
  EXPECT_THAT(only(load_text("version: 1\napp: \"sh\\\"op\nactors: {}\n")),
              StartsWith("2:6+1 the quote that opens here (\") is never closed"));
  EXPECT_EQ(good(load_text("version: 1\napp: &x 'shop'\n" + inventory)).app, "shop");
}

TEST(ConfigYaml, nothing_and_other_than_a_map_are_told) {
  for (const auto* text : {"", "\n\n", "# only a remark\n", "---\n", "~\n"})
    EXPECT_THAT(only(load_text(text)), HasSubstr("the file is empty")) << text;
  EXPECT_THAT(only(load_text("")), StartsWith("1:1+"));
  EXPECT_THAT(only(load_text("- a\n- b\n")), StartsWith("1:1+1 the file must be a map"));
  EXPECT_THAT(only(load_text("shop\n")), StartsWith("1:1+4 the file must be a map"));
}

TEST(ConfigYaml, one_file_is_one_document) {
  EXPECT_THAT(only(load_text(head + inventory + "---\na: 1\n")), StartsWith("7:1+1 a second YAML document"));
  EXPECT_TRUE(load_text("---\n" + head + inventory + "...\n").config);
}

TEST(ConfigYaml, bytes_that_are_no_text_are_told_with_their_place) {
  EXPECT_THAT(only(load_text("version: 1\napp: \xff\n")), StartsWith("2:6+1 this is not UTF-8"));
  EXPECT_THAT(only(load_text(std::string{"version: 1\nap\0p: x\n", 19})), StartsWith("2:3+1 a NUL byte"));
  EXPECT_THAT(only(load_text("app: \"a\\0b\"\n")), HasSubstr("a NUL character can't be part of a value"));
  EXPECT_THAT(only(load_text("# " + std::string(1 << 20, 'x') + "\n")), HasSubstr("larger than 1 MiB"));
}

TEST(ConfigYaml, a_byte_order_mark_and_windows_line_ends_are_fine) {
  auto text = head + inventory;
  for (std::size_t i = 0; (i = text.find('\n', i)) != std::string::npos; i += 2)
    text.insert(i, "\r");
  EXPECT_EQ(good(load_text("\xEF\xBB\xBF" + text)).app, "shop");
}

TEST(ConfigYaml, anchors_work_and_bombs_do_not) {
  EXPECT_EQ(worker_of(load_text(head + "defaults: { deadline: &d 9s }\n" + inventory +
                                "    breaker: { open_for: *d }\n"))
                .breaker.open_for,
            std::chrono::seconds{9});
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const auto n = std::to_string(i), before = "*a" + std::to_string(i - 1);
    bomb += "a" + n + ": &a" + n + " [" + before;
    for (int j = 0; j < 9; ++j)
      bomb += ", " + before;
    bomb += "]\n";
  }
  EXPECT_THAT(only(load_text(bomb)), HasSubstr("more than 100000 values or 8 MiB"));
  std::string wide = "a: &a " + std::string(500'000, 'x') + "\nb: [*a";
  for (int i = 0; i < 1000; ++i)
    wide += ", *a";
  EXPECT_THAT(only(load_text(wide + "]\n")), HasSubstr("more than 100000 values or 8 MiB"));
  EXPECT_THAT(only(load_text("a: &a [*a]\n")), HasSubstr("this alias stands inside of what it repeats"));
}

TEST(ConfigYaml, depth_is_bounded) {
  for (const auto* piece : {"[", "{", "- ", "? ", "{a: ", "[a, "}) {
    std::string text;
    for (int i = 0; i < 2000; ++i)
      text += piece;
    const auto l = load_text(text);
    EXPECT_FALSE(l.config);
    EXPECT_EQ(l.problems.size(), 1U) << piece;
  }
  EXPECT_THAT(only(load_text("a: " + std::string(40, '[') + std::string(40, ']') + "\n")),
              HasSubstr("nested deeper than 32"));
}

TEST(ConfigYaml, many_problems_are_cut_off_and_counted) {
  std::string text = head + inventory;
  for (int i = 0; i < 3000; ++i)
    text += "unknown" + std::to_string(i) + ": 1\n";
  const auto l = load_text(text);
  ASSERT_EQ(l.problems.size(), 1001U);
  EXPECT_EQ(l.problems.back().text, "2000 more problems are not shown; mend these first");
}

} // namespace
} // namespace troupe::config
