#include "engine/deadletters/causes.hpp"

#include "engine/deadletters/letter.hpp"

#include <algorithm>
#include <cctype>

namespace troupe::deadletters {
namespace {

constexpr std::size_t most_groups = 1000;
constexpr std::size_t longest = 200;
constexpr std::size_t shortest_id = 6;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// 7f3a91c0, o-1234567, 0af7651916cd43dd: what names one thing among many.
bool is_id(std::string_view word) {
  const auto digits = std::count_if(word.begin(), word.end(), is_digit);
  return digits > 0 && (word.size() >= shortest_id || digits == static_cast<std::ptrdiff_t>(word.size()));
}

/// 123e4567-e89b-12d3-a456-426614174000 at its beginning; a part of one need not have a digit.
bool begins_with_uuid(std::string_view text) {
  constexpr std::string_view form = "00000000-0000-0000-0000-000000000000";
  return std::equal(
      form.begin(), form.end(), text.begin(), text.begin() + std::min(text.size(), form.size()),
      [](char f, char c) { return f == '-' ? c == '-' : std::isxdigit(static_cast<unsigned char>(c)) != 0; });
}
constexpr std::size_t uuid_length = 36;

} // namespace

std::string fingerprint(std::string_view message) {
  std::string out;
  while (!message.empty() && out.size() < longest) {
    if (begins_with_uuid(message)) {
      out += '#';
      message.remove_prefix(uuid_length);
      continue;
    }
    const auto end = std::find_if_not(message.begin(), message.end(), is_word);
    const auto word = message.substr(0, static_cast<std::size_t>(end - message.begin()));
    if (word.empty()) {
      out += message.front();
      message.remove_prefix(1);
      continue;
    }
    message.remove_prefix(word.size());
    if (is_id(word)) {
      out += '#';
      continue;
    }
    // Of a short word its numbers alone: 30s, v2.
    for (std::size_t i = 0; i < word.size(); ++i)
      if (!is_digit(word[i]))
        out += word[i];
      else if (i == 0 || !is_digit(word[i - 1]))
        out += '#';
  }
  out.resize(std::min(out.size(), longest));
  return out;
}

void causes::add(const record& letter) {
  const auto text = [&](std::string_view name) { return std::string{header_of(letter, name).value_or("")}; };
  std::pair key{text("error-class"), fingerprint(text("error"))};
  if (groups_.size() >= most_groups && !groups_.contains(key)) key = {"", "(others)"};
  auto& group = groups_[key];
  const auto at = failed_at(letter);
  if (group.count++ == 0) {
    group.error_class = key.first;
    group.message = key.second;
    group.first = at;
  }
  group.first = std::min(group.first, at);
  if (at >= group.last) {
    group.last = at;
    group.sample = letter.id();
  }
}

std::vector<cause> causes::sorted() const {
  std::vector<cause> all;
  for (const auto& [key, group] : groups_)
    all.push_back(group);
  std::stable_sort(all.begin(), all.end(), [](const cause& a, const cause& b) { return a.count > b.count; });
  return all;
}

} // namespace troupe::deadletters
