#include "tests/engine/config/fixture.hpp"

namespace troupe::config {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ConfigShow, a_problem_has_its_place_its_line_and_a_caret) {
  const auto l = load_text(inventory_with("retires: { attempts: 5 }"));
  EXPECT_EQ(show(l.problems, false),
            "shop.yaml:7:5: error: unknown key 'retires' in actors.inventory; did you mean 'retry'?\n"
            "   7 |     retires: { attempts: 5 }\n"
            "     |     ^~~~~~~\n"
            "1 error\n");
}

TEST(ConfigShow, counts_errors_and_warnings) {
  problem error{"a.yaml", 14, 7, false, "bad", "      retires: 5", 7};
  problem warning{"a.yaml", 12345, 1, true, "odd", "x", 1};
  EXPECT_EQ(show({error, warning, error}, false),
            "a.yaml:14:7: error: bad\n  14 |       retires: 5\n     |       ^~~~~~~\n"
            "a.yaml:12345:1: warning: odd\n12345 | x\n      | ^\n"
            "a.yaml:14:7: error: bad\n  14 |       retires: 5\n     |       ^~~~~~~\n"
            "2 errors, 1 warning\n");
  EXPECT_EQ(show({}, false), "");
}

TEST(ConfigShow, an_override_has_no_place) {
  EXPECT_EQ(show({{"--set", 0, 0, false, "bad", "a.b=c", 1}}, false),
            "--set: error: bad\n     | a.b=c\n1 error\n");
}

TEST(ConfigShow, a_caret_stands_under_its_character_and_stays_within_the_line) {
  EXPECT_THAT(show({{"f", 1, 4, false, "bad", "äö: x", 99}}, false),
              HasSubstr("   1 | äö: x\n     |    ^~\n"));
  EXPECT_THAT(show({{"f", 1, 9, false, "bad", "ab", 1}}, false), HasSubstr("     |         ^\n"));
}

TEST(ConfigShow, a_long_line_is_shown_around_the_place) {
  const auto line = std::string(500, 'a') + "HERE" + std::string(400, 'b');
  const auto text = show({{"f", 1, 501, false, "bad", line, 4}}, false);
  EXPECT_THAT(text, HasSubstr("aHEREb"));
  EXPECT_LT(text.size(), 400U);
  const auto shown = text.substr(text.find(" | ") + 3);
  const auto caret = text.substr(text.rfind(" | ") + 3);
  EXPECT_EQ(shown.find("HERE") - (std::string{"…"}.size() - 1), caret.find('^'));
}

TEST(ConfigShow, colours_only_where_asked) {
  const std::vector<problem> one{{"f", 1, 1, false, "bad", "x", 1}};
  EXPECT_THAT(show(one, false), Not(HasSubstr("\033[")));
  EXPECT_THAT(show(one, true), HasSubstr("\033["));
}

} // namespace
} // namespace troupe::config
