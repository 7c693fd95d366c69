#include "engine/deadletters/filter.hpp"

#include "engine/config/values.hpp"
#include "engine/core/time.hpp"
#include "engine/deadletters/letter.hpp"

#include <algorithm>
#include <cctype>

namespace troupe::deadletters {
namespace {

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

std::vector<std::string_view> values_of(const record& letter, const std::string& field, std::string& number) {
  const auto one = [](const std::optional<std::string>& text) {
    return text ? std::vector<std::string_view>{*text} : std::vector<std::string_view>{};
  };
  if (field == "topic") return {*letter.topic};
  if (field == "key") return one(letter.key);
  if (field == "value") return one(letter.value);
  if (field == "partition" || field == "offset") {
    number = std::to_string(field == "offset" ? letter.offset : letter.partition);
    return {number};
  }
  std::vector<std::string_view> all;
  for (const auto& h : letter.headers)
    if (h.name == field && h.value) all.emplace_back(*h.value);
  return all;
}

} // namespace

result<condition> condition::parse(std::string_view text) {
  const auto wrong = [&](const std::string& why) {
    return error{errc::usage, "'" + std::string{text} + "' is no condition: " + why +
                                  "; write FIELD=VALUE, FIELD!=VALUE or FIELD~TEXT, as in error~timeout"};
  };
  const auto at = text.find_first_of("=~!");
  if (at == std::string_view::npos) return wrong("it has no =, != or ~");
  if (at == 0) return wrong("there is no field before " + std::string{text.substr(0, 1)});
  const bool negated = text[at] == '!';
  if (negated && text.substr(at, 2) != "!=") return wrong("after ! comes =");
  condition c;
  c.field = text.substr(0, at);
  c.compare = negated ? how::is_not : text[at] == '~' ? how::contains : how::is;
  c.value = text.substr(at + (negated ? 2 : 1));
  return c;
}

bool condition::holds(const record& letter) const {
  std::string number;
  const auto values = values_of(letter, field, number);
  const auto any = [&](auto&& test) { return std::any_of(values.begin(), values.end(), test); };
  if (compare == how::contains)
    return any([&](std::string_view text) {
      return std::search(text.begin(), text.end(), value.begin(), value.end(), same_letter) != text.end() ||
             value.empty();
    });
  const bool equal = any([&](std::string_view text) { return text == value; });
  return compare == how::is ? equal : !equal;
}

bool filter::takes(const record& letter) const {
  if (!among.empty() && !among.contains({letter.partition, letter.offset})) return false;
  if (!since.empty() && failed_at(letter) < since) return false;
  return std::all_of(where.begin(), where.end(), [&](const condition& c) { return c.holds(letter); });
}

result<std::string> parse_since(std::string_view text, std::int64_t now_ms) {
  if (const auto ago = config::parse_duration(text)) return rfc3339(now_ms - ago->count());
  constexpr std::string_view form = "0000-00-00T00:00:00";
  const bool a_time = text.size() > form.size() && text.ends_with('Z') &&
                      std::equal(form.begin(), form.end(), text.begin(),
                                 [](char f, char c) { return f == '0' ? c >= '0' && c <= '9' : c == f; });
  if (!a_time)
    return error{errc::usage, "'" + std::string{text} +
                                  "' is no time to begin at: write how long ago, as 30m or 48h, or a time in "
                                  "UTC, as 2026-01-31T23:59:00Z"};
  // In full, so that it compares with others as a text.
  auto fraction = std::string{text.substr(form.size(), text.size() - form.size() - 1)};
  if (fraction.empty()) fraction = ".";
  fraction.resize(4, '0');
  return std::string{text.substr(0, form.size())} + fraction + 'Z';
}

} // namespace troupe::deadletters
