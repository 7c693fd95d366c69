#include "apps/command/dlq_verbs.hpp"
#include "apps/command/exit_code.hpp"
#include "apps/command/words.hpp"
#include "engine/core/time.hpp"
#include "engine/deadletters/letter_json.hpp"
#include "engine/flow/dead_letter.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace troupe {
namespace {

using tree = nlohmann::ordered_json;
using deadletters::header_of;
using deadletters::hex;
using deadletters::is_text;
using deadletters::json_of;

constexpr std::size_t shown_each = 1000; ///< where --max says nothing
constexpr std::size_t longest_line = 120;

void print(const tree& json) {
  std::printf("%s\n", json.dump(-1, ' ', false, tree::error_handler_t::replace).c_str());
}

/// What comes from events must not move a terminal's cursor or colours.
std::string harmless(std::string_view text, bool lines) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((u < 0x20 && !(lines && (c == '\n' || c == '\t'))) || u == 0x7F)
      out += "\\x" + hex({&c, 1});
    else
      out += c;
  }
  return out;
}

std::string line_of(std::string_view bytes) {
  if (!is_text(bytes)) return "0x" + hex(bytes.substr(0, longest_line / 2));
  auto text = harmless(bytes, false);
  if (text.size() <= longest_line) return text;
  auto end = longest_line;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end; // no character in halves
  return text.substr(0, end) + "…";
}

std::string text_of(const record& letter, std::string_view name) {
  return std::string{header_of(letter, name).value_or("")};
}

void print_causes(const std::string& topic, const deadletters::contents& all, std::size_t most) {
  std::printf("%s: %s open, %s replayed, %s discarded\n", topic.c_str(), words::count(all.open).c_str(),
              words::count(all.replayed).c_str(), words::count(all.discarded).c_str());
  if (all.causes.empty()) return;
  std::printf("%9s  %-16s  %-20s  %-20s  %s\n", "COUNT", "CLASS", "FIRST", "LAST", "MESSAGE, LAST ONE");
  for (std::size_t i = 0; i < all.causes.size() && i < most; ++i) {
    const auto& c = all.causes[i];
    std::printf("%9s  %-16s  %.19sZ  %.19sZ  %s\n%73s%s\n", words::count(c.count).c_str(),
                line_of(c.error_class).c_str(), c.first.c_str(), c.last.c_str(), line_of(c.message).c_str(),
                "", c.sample.c_str());
  }
  if (all.causes.size() > most)
    std::printf("%9s  %s more causes; --max shows more\n", "…",
                words::count(all.causes.size() - most).c_str());
}

/// Answers how many were shown.
result<std::size_t> list_each(deadletters::archive& in, const std::string& topic,
                              const deadletters::filter& which, std::size_t most, bool json) {
  std::size_t n = 0;
  if (most == 0) return n;
  const auto done = in.scan(topic, which, [&](const record& letter, const auto& resolved) {
    if (resolved) return true;
    if (json)
      print(json_of(letter, resolved));
    else
      std::printf("%s  %.19sZ  %-12s  %s  %s\n", letter.id().c_str(), deadletters::failed_at(letter).c_str(),
                  line_of(text_of(letter, "error-class")).c_str(), line_of(letter.key.value_or("-")).c_str(),
                  line_of(text_of(letter, "error")).c_str());
    return ++n < most;
  });
  if (!done) return done.failure();
  return n;
}

void print_value(const std::optional<std::string>& value) {
  if (!value) {
    std::puts("value       none: a tombstone");
    return;
  }
  std::printf("value       %s bytes\n", words::count(value->size()).c_str());
  if (is_text(*value)) {
    std::printf("%s\n", harmless(*value, true).c_str());
    return;
  }
  for (std::size_t i = 0; i < value->size(); i += 32)
    std::printf("%08zx  %s\n", i, hex(std::string_view{*value}.substr(i, 32)).c_str());
}

void print_letter(const record& letter, const std::optional<deadletters::action>& resolved) {
  std::printf("%s  %s%s\n", letter.id().c_str(), deadletters::word_for(resolved).c_str(),
              deadletters::is_envelope(letter) ? ", an envelope: the payload lies in the source" : "");
  const auto from = deadletters::origin_of(letter);
  const auto line = [](const char* name, const std::string& text) {
    if (!text.empty()) std::printf("%-10s  %s\n", name, line_of(text).c_str());
  };
  line("error", text_of(letter, "error"));
  line("class", text_of(letter, "error-class"));
  line("failed", deadletters::failed_at(letter));
  line("attempts", text_of(letter, "attempts"));
  line("actor", text_of(letter, "actor"));
  if (from)
    line("source", from->where.topic + '/' + std::to_string(from->where.partition) + '/' +
                       std::to_string(from->offset));
  line("group", text_of(letter, "original-group"));
  if (letter.timestamp_ms >= 0) line("timestamp", rfc3339(letter.timestamp_ms));
  line("replayed", std::to_string(flow::replay_count(letter.headers)) + " times before");
  std::printf("%-10s  %s\n", "key", letter.key ? line_of(*letter.key).c_str() : "none");
  for (const auto& h : letter.headers)
    if (!flow::is_dead_letter_header(h.name))
      std::printf("header      %s: %s\n", line_of(h.name).c_str(),
                  h.value ? line_of(*h.value).c_str() : "null");
  print_value(letter.value);
}

} // namespace

std::optional<deadletters::origin> parse_place(std::string_view text) {
  const auto number = [&](auto& into) {
    const auto slash = text.rfind('/');
    if (slash == std::string_view::npos) return false;
    const auto digits = text.substr(slash + 1);
    const auto [stop, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), into);
    text = text.substr(0, slash);
    return !digits.empty() && fault == std::errc{} && stop == digits.data() + digits.size() && into >= 0;
  };
  deadletters::origin place;
  if (!number(place.offset) || !number(place.where.partition) || text.empty()) return std::nullopt;
  place.where.topic = text;
  return place;
}

result<deadletters::origin> named_letter(const dlq_arguments& from) {
  std::string text;
  for (const auto& part : from.topics)
    text += (text.empty() ? "" : "/") + part;
  auto place = parse_place(text);
  if (!place)
    return error{errc::usage, "'" + text +
                                  "' is no place of a letter: write TOPIC PARTITION OFFSET, or "
                                  "topic/partition/offset as `troupe dlq ls` shows it"};
  return std::move(*place);
}

result<int> list_letters(const dlq_arguments& from, deadletters::archive& in,
                         const std::set<std::string>& topics, const deadletters::filter& which) {
  if (topics.empty()) std::fputs("no topics of dead letters yet\n", stderr);
  if (from.each) {
    auto left = std::min(from.most, std::max(shown_each, std::size_t{1}));
    if (from.most != dlq_arguments{}.most) left = from.most;
    for (const auto& topic : topics) {
      const auto n = list_each(in, topic, which, left, from.json);
      if (!n) return n.failure();
      left -= *n;
    }
    if (left == 0) std::fputs("there may be more; --max shows more\n", stderr);
    return exit_code::done;
  }
  tree all = tree::array();
  for (const auto& topic : topics) {
    const auto found = in.look_into(topic, which);
    if (!found) return found.failure();
    if (!from.json) {
      print_causes(topic, *found, from.most);
      continue;
    }
    tree causes = tree::array();
    for (const auto& c : found->causes)
      if (causes.size() < from.most) causes.push_back(json_of(c));
    all.push_back({{"topic", topic},
                   {"open", found->open},
                   {"replayed", found->replayed},
                   {"discarded", found->discarded},
                   {"causes", std::move(causes)}});
  }
  if (from.json) print({{"schema", 1}, {"at", rfc3339(wall_ms())}, {"topics", std::move(all)}});
  return exit_code::done;
}

result<int> show_letter(const dlq_arguments& from, deadletters::archive& in) {
  const auto place = named_letter(from);
  if (!place) return place.failure();
  const auto found = in.find(place->where.topic, place->where.partition, place->offset);
  if (!found) return found.failure();
  if (from.json) {
    auto json = json_of(found->letter, found->resolved);
    json["schema"] = 1;
    print(json);
  } else {
    print_letter(found->letter, found->resolved);
  }
  return exit_code::done;
}

} // namespace troupe
