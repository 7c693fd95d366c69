#include "apps/dashboard/letter_listing.hpp"

#include "engine/deadletters/letter.hpp"
#include "engine/deadletters/letter_json.hpp"
#include "engine/flow/dead_letter.hpp"

#include <algorithm>
#include <charconv>

namespace troupe::dashboard {
namespace {

using tree = nlohmann::ordered_json;
using deadletters::header_of;

constexpr std::size_t longest_error = 500, longest_key = 200;
constexpr std::size_t hour_length = 13; ///< of 2026-01-31T23:59:00.125Z

std::string shortened(std::string_view text, std::size_t most) {
  if (!deadletters::is_text(text)) return "0x" + deadletters::hex(text.substr(0, most / 2));
  if (text.size() <= most) return std::string{text};
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80)
    --most; // no character in halves
  return std::string{text.substr(0, most)} + "…";
}

tree number_in(const record& letter, std::string_view name) {
  const auto text = header_of(letter, name).value_or("");
  std::uint32_t n = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), n);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size() ? tree(n) : tree(nullptr);
}

tree shown(const record& letter, bool key) {
  const auto text = [&](std::string_view name) {
    return shortened(header_of(letter, name).value_or(""), longest_error);
  };
  tree one{{"partition", letter.partition},
           {"offset", letter.offset},
           {"error", text("error")},
           {"error_class", text("error-class")},
           {"attempts", number_in(letter, "attempts")},
           {"failed_at", deadletters::failed_at(letter)},
           {"replay_count", flow::replay_count(letter.headers)}};
  if (key && letter.key) one["key"] = shortened(*letter.key, longest_key);
  if (auto actor = text("actor"); !actor.empty()) one["actor"] = std::move(actor);
  return one;
}

} // namespace

void letter_listing::add(const record& letter, std::optional<deadletters::action> resolved) {
  if (resolved) {
    ++(*resolved == deadletters::action::replayed ? replayed_ : discarded_);
    return;
  }
  ++open_;
  if (!which_.takes(letter)) return;
  ++matching_;
  causes_.add(letter);
  ++by_hour_[deadletters::failed_at(letter).substr(0, hour_length)];
  if (by_hour_.size() > most_hours) by_hour_.erase(by_hour_.begin());
  keep(letter);
}

void letter_listing::keep(const record& letter) {
  const auto later = [](const line& a, const line& b) { return a.failed_at > b.failed_at; };
  auto at = deadletters::failed_at(letter);
  if (most_ == 0 || (lines_.size() == most_ && at <= lines_.front().failed_at)) return;
  if (lines_.size() == most_) {
    std::pop_heap(lines_.begin(), lines_.end(), later);
    lines_.pop_back();
  }
  lines_.push_back({std::move(at), shown(letter, keys_)});
  std::push_heap(lines_.begin(), lines_.end(), later);
}

tree letter_listing::json() const {
  auto newest = lines_;
  std::stable_sort(newest.begin(), newest.end(),
                   [](const line& a, const line& b) { return a.failed_at > b.failed_at; });
  tree all{{"open", open_}, {"replayed", replayed_}, {"discarded", discarded_}, {"matching", matching_}};
  all["causes"] = tree::array();
  for (const auto& c : causes_.sorted())
    if (all["causes"].size() < most_causes) all["causes"].push_back(deadletters::json_of(c));
  all["by_hour"] = tree::object();
  for (const auto& [hour, n] : by_hour_)
    all["by_hour"][hour] = n;
  all["letters"] = tree::array();
  for (auto& l : newest)
    all["letters"].push_back(std::move(l.shown));
  all["more"] = matching_ > all["letters"].size();
  return all;
}

} // namespace troupe::dashboard
