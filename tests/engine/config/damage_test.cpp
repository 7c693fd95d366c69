#include "tests/engine/config/fixture.hpp"

#include "engine/core/utf8.hpp"

#include <fstream>
#include <random>
#include <sstream>

namespace troupe::config {
namespace {

std::string example() {
  std::ifstream in{TROUPE_SOURCE_DIR "/tests/engine/config/design_example.yaml"};
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// What holds of every answer, however broken the file.
void expect_sane(const loaded& l, const std::string& text) {
  const auto errors =
      std::count_if(l.problems.begin(), l.problems.end(), [](const problem& p) { return !p.warning; });
  EXPECT_EQ(l.config.has_value(), errors == 0);
  const auto lines = static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1;
  for (const auto& p : l.problems) {
    EXPECT_FALSE(p.text.empty());
    EXPECT_GE(p.line, 0);
    EXPECT_LE(p.line, lines) << p.text;
    EXPECT_GE(p.column, p.line > 0 ? 1 : 0) << p.text;
    for (auto rest = std::string_view{p.text}; !rest.empty(); rest.remove_prefix(utf8_length(rest)))
      ASSERT_GT(utf8_length(rest), 0U) << "a message that is not UTF-8";
  }
  EXPECT_EQ(show(l.problems, true).empty(), l.problems.empty());
}

TEST(ConfigDamage, a_file_cut_at_any_byte_is_refused_or_fine_and_never_crashes) {
  const auto text = example();
  ASSERT_GT(text.size(), 4000U);
  for (std::size_t n = 0; n <= text.size(); ++n)
    expect_sane(load_text(text.substr(0, n)), text);
}

TEST(ConfigDamage, random_changes_never_crash) {
  const auto text = example();
  std::mt19937 random{7};
  const std::string bytes = "{}[]:,-#&*!|>'\"%@`?~ \t\n\r\\$\xff\xc3$";
  for (int round = 0; round < 1500; ++round) {
    auto broken = text;
    for (auto n = 1 + random() % 4; n > 0; --n) {
      const auto at = random() % broken.size();
      switch (random() % 3) {
      case 0:
        broken[at] = bytes[random() % bytes.size()];
        break;
      case 1:
        broken.erase(at, 1 + random() % 30);
        break;
      default:
        broken.insert(at, 1 + random() % 3, bytes[random() % bytes.size()]);
      }
    }
    expect_sane(load_text(broken), broken);
  }
}

TEST(ConfigDamage, lines_put_in_another_order_never_crash) {
  std::vector<std::string> lines;
  std::istringstream in{example()};
  for (std::string line; std::getline(in, line);)
    lines.push_back(line + "\n");
  std::mt19937 random{11};
  for (int round = 0; round < 300; ++round) {
    std::shuffle(lines.begin(), lines.end(), random);
    std::string text;
    for (const auto& line : lines)
      text += line;
    expect_sane(load_text(text), text);
  }
}

} // namespace
} // namespace troupe::config
