#include "apps/dashboard/panel_parts.hpp"

#include <cmath>
#include <cstdlib>

namespace troupe::dashboard {

const config::worker_actor* worker_with(const config::settings& s, const std::string& handler) {
  for (const auto& a : s.actors)
    if (const auto* w = std::get_if<config::worker_actor>(&a.kind))
      if (const auto* h = std::get_if<config::named_handler>(&w->handler); h && h->name == handler) return w;
  return nullptr;
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
