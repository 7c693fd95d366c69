#include "engine/deadletters/letter.hpp"

#include "engine/core/time.hpp"
#include "engine/flow/dead_letter.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace troupe::deadletters {
namespace {

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number n{};
  const auto* end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data(), end, n);
  if (fault != std::errc{} || stop != end || n < 0) return std::nullopt;
  return n;
}

/// 2026-01-31T23:59:00.125Z, as rfc3339 writes it.
bool is_our_time(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00.000Z";
  return std::equal(text.begin(), text.end(), form.begin(), form.end(),
                    [](char c, char f) { return f == '0' ? c >= '0' && c <= '9' : c == f; });
}

} // namespace

std::optional<std::string_view> header_of(const record& letter, std::string_view name) {
  for (const auto& h : letter.headers)
    if (h.name == name && h.value) return *h.value;
  return std::nullopt;
}

std::string failed_at(const record& letter) {
  if (const auto at = header_of(letter, "failed-at"); at && is_our_time(*at)) return std::string{*at};
  return rfc3339(std::max<std::int64_t>(letter.timestamp_ms, 0));
}

std::string identity(const record& letter) {
  return failed_at(letter) + '/' + std::string{header_of(letter, "original-topic").value_or("")} + '/' +
         std::string{header_of(letter, "original-partition").value_or("")} + '/' +
         std::string{header_of(letter, "original-offset").value_or("")};
}

std::optional<origin> origin_of(const record& letter) {
  const auto topic = header_of(letter, "original-topic");
  const auto partition = whole_number<std::int32_t>(header_of(letter, "original-partition").value_or(""));
  const auto offset = whole_number<std::int64_t>(header_of(letter, "original-offset").value_or(""));
  if (!topic || topic->empty() || !partition || !offset) return std::nullopt;
  return origin{{std::string{*topic}, *partition}, *offset};
}

bool is_envelope(const record& letter) {
  return header_of(letter, "payload-envelope").has_value();
}

std::optional<envelope> read_envelope(const record& letter) {
  const auto json = nlohmann::json::parse(letter.value.value_or(""), nullptr, false);
  // An event that came by replay was read elsewhere, but its payload is the first hop's.
  auto from = origin_of(letter);
  if (!from || !json.is_object() || !json.contains("sha256") || !json["sha256"].is_string())
    return std::nullopt;
  return envelope{std::move(*from), json["sha256"].get<std::string>()};
}

record unwrap(const record& enveloped, const record& original) {
  auto whole = enveloped;
  whole.key = original.key;
  whole.value = original.value;
  std::erase_if(whole.headers, [](const header& h) {
    return h.name == "payload-envelope" || !flow::is_dead_letter_header(h.name);
  });
  // The envelope has ours, the event the user's.
  std::vector<header> all;
  std::copy_if(original.headers.begin(), original.headers.end(), std::back_inserter(all),
               [](const header& h) { return !flow::is_dead_letter_header(h.name); });
  all.insert(all.end(), whole.headers.begin(), whole.headers.end());
  whole.headers = std::move(all);
  return whole;
}

} // namespace troupe::deadletters
