#include "engine/deadletters/marks.hpp"

#include "engine/core/time.hpp"
#include "engine/deadletters/letter.hpp"

#include <nlohmann/json.hpp>

#include <functional>

namespace troupe::deadletters {
namespace {

using tree = nlohmann::ordered_json;

std::string place_of(const record& letter) {
  return std::to_string(letter.partition) + '/' + std::to_string(letter.offset);
}

std::string text_of(const nlohmann::json& from, const char* name) {
  const auto at = from.find(name);
  return at != from.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

/// As the mark holds it: JSON takes no other bytes.
std::string as_text(const std::string& bytes) {
  return nlohmann::json(bytes).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace

std::string word_for(action a) {
  return a == action::replayed ? "replayed" : "discarded";
}

std::string marks_topic(const std::string& letters) {
  return letters + ".resolved";
}

outgoing make_mark(const record& letter, action what, const std::string& by, std::int64_t now_ms) {
  outgoing mark;
  mark.topic = marks_topic(*letter.topic);
  mark.key = place_of(letter);
  mark.value =
      tree{{"action", word_for(what)}, {"by", by}, {"at", rfc3339(now_ms)}, {"letter", identity(letter)}}
          .dump(-1, ' ', false, tree::error_handler_t::replace);
  return mark;
}

void mark_book::take(const record& event) {
  if (!event.key) return;
  if (!event.value) { // whoever takes a mark back
    by_place_.erase(*event.key);
    return;
  }
  const auto json = nlohmann::json::parse(*event.value, nullptr, false);
  if (!json.is_object()) return;
  const auto what = text_of(json, "action");
  const std::hash<std::string> hash;
  for (const auto a : {action::replayed, action::discarded})
    if (what == word_for(a)) by_place_[*event.key] = {a, hash(as_text(text_of(json, "letter")))};
}

std::optional<action> mark_book::of(const record& letter) const {
  const auto at = by_place_.find(place_of(letter));
  if (at == by_place_.end() || at->second.identity != std::hash<std::string>{}(as_text(identity(letter))))
    return std::nullopt;
  return at->second.what;
}

} // namespace troupe::deadletters
