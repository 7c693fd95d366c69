#include "apps/dashboard/panel_parts.hpp"

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace troupe::dashboard {
namespace {

/// Its actor, too, whose name the worker does not know.
std::pair<const config::actor*, const config::worker_actor*> find(const config::settings& s,
                                                                  const std::string& handler) {
  for (const auto& a : s.actors)
    if (const auto* w = std::get_if<config::worker_actor>(&a.kind))
      if (const auto* h = std::get_if<config::named_handler>(&w->handler); h && h->name == handler)
        return {&a, w};
  return {};
}

/// As a part of a query.
std::string encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_'))
      out += c;
    else
      (out += '%') += {digits[byte >> 4], digits[byte & 15]};
  }
  return out;
}

} // namespace

const config::worker_actor* worker_with(const config::settings& s, const std::string& handler) {
  return find(s, handler).second;
}

std::string letters_path(const config::settings& s, const std::string& handler, const std::string& key) {
  const auto [actor, worker] = find(s, handler);
  if (!worker || (worker->dlq.topic.empty() && worker->consume.is_pattern())) return {};
  const auto topic = worker->dlq.topic.empty()
                         ? config::default_dlq(worker->consume.topics.front(), actor->name)
                         : worker->dlq.topic;
  return "/dlq/" + topic + "?where=" + encoded("key=" + key);
}

nlohmann::json table(std::string title, const std::vector<std::pair<std::string, std::string>>& columns,
                     std::vector<cells> rows, std::string empty, std::string note) {
  nlohmann::json all{
      {"title", std::move(title)}, {"empty", std::move(empty)}, {"columns", nlohmann::json::array()}};
  if (!note.empty()) all["note"] = std::move(note);
  for (const auto& [label, type] : columns)
    all["columns"].push_back({{"label", label}, {"type", type}});
  all["rows"] = std::move(rows);
  return all;
}

result<redis::client::replies> ask_all(redis::client& redis, std::vector<redis::command> commands) {
  auto got = redis.call(std::move(commands));
  if (!got) return got;
  for (const auto& r : *got)
    if (r.kind == redis::reply::type::failure) return error{errc::refused, "Redis answered: " + r.text};
  return got;
}

std::optional<double> number_in(const redis::reply& text) {
  if (text.kind == redis::reply::type::integer) return static_cast<double>(text.integer);
  if (text.kind != redis::reply::type::text || text.text.empty()) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text.text.c_str(), &end);
  return *end == '\0' && std::isfinite(value) ? std::optional{value} : std::nullopt;
}

std::int64_t count_in(const redis::reply& text) {
  return std::llround(number_in(text).value_or(0));
}

} // namespace troupe::dashboard
