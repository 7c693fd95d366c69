#include "apps/demo/account.hpp"

#include "engine/core/time.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <future>

namespace demo {
namespace {

using troupe::redis::client;
using troupe::redis::command;

constexpr std::chrono::milliseconds patience{1000};

/// Empty where Redis does not answer: the next look shows more.
troupe::redis::reply ask(client& redis, command one) {
  auto got = redis.ask(std::move(one));
  return got ? std::move(got).value() : troupe::redis::reply{};
}

std::vector<std::string> keys(client& redis, const std::string& pattern) {
  std::vector<std::string> all;
  for (auto& key : ask(redis, {"KEYS", pattern}).items)
    all.push_back(std::move(key.text));
  return all;
}

std::uint64_t number(const troupe::redis::reply& r) {
  return r.kind == troupe::redis::reply::type::integer ? static_cast<std::uint64_t>(r.integer)
                                                       : std::strtoull(r.text.c_str(), nullptr, 10);
}

std::vector<std::pair<std::string, std::uint64_t>> counts(client& redis, const std::string& prefix) {
  std::vector<std::pair<std::string, std::uint64_t>> all;
  command get{"MGET"};
  for (auto& key : keys(redis, prefix + "*"))
    get.push_back(std::move(key));
  if (get.size() == 1) return all;
  const auto values = ask(redis, get);
  for (std::size_t i = 0; i < values.items.size(); ++i)
    all.emplace_back(get[i + 1].substr(prefix.size()), number(values.items[i]));
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return all;
}

std::uint64_t total(client& redis, const std::string& prefix) {
  std::uint64_t sum = 0;
  for (const auto& [name, n] : counts(redis, prefix))
    sum += n;
  return sum;
}

} // namespace

std::string fetch(const std::string& url, const std::string& method, std::string body) {
  static troupe::http::client web;
  const auto to = troupe::http::parse_url(url);
  if (!to) return {};
  auto answered = std::make_shared<std::promise<std::string>>();
  auto said = answered->get_future();
  web.send({.to = *to, .method = method, .headers = {}, .body = std::move(body)}, patience,
           [answered](const auto& got) {
             const auto* answer = std::get_if<troupe::http::answer>(&got);
             answered->set_value(answer && answer->status == 200 ? answer->body : std::string{});
           });
  return said.get();
}

double sum_of(std::string_view metrics, std::string_view name, std::string_view having) {
  double sum = 0;
  while (!metrics.empty()) {
    const auto line = metrics.substr(0, metrics.find('\n'));
    metrics.remove_prefix(std::min(metrics.size(), line.size() + 1));
    if (!line.starts_with(name) ||
        (line.size() > name.size() && line[name.size()] != '{' && line[name.size()] != ' '))
      continue;
    if (!having.empty() && line.find(having) == std::string_view::npos) continue;
    sum += std::strtod(std::string{line.substr(line.rfind(' ') + 1)}.c_str(), nullptr);
  }
  return sum;
}

shop_figures read_shop(client& redis, const std::string& gateway, const std::filesystem::path& maildir) {
  shop_figures f;
  for (const auto& key : keys(redis, "orders:*")) {
    if (key.ends_with(":seen")) continue;
    const auto sums = ask(redis, {"HMGET", key, "orders", "revenue_cents"});
    if (sums.items.size() != 2) continue;
    f.orders += number(sums.items[0]);
    f.revenue_cents += static_cast<std::int64_t>(number(sums.items[1]));
  }
  f.reserved = keys(redis, "inventory:reservation:*").size();
  const auto ledger = nlohmann::json::parse(fetch(gateway + "/ledger"), nullptr, false);
  if (ledger.is_object()) f.charged = ledger.value("charges", std::uint64_t{0});
  std::error_code none_yet;
  for (auto at = std::filesystem::directory_iterator{maildir / "new", none_yet}; !none_yet && at != end(at);
       at.increment(none_yet))
    ++f.mails;
  return f;
}

web_figures read_web(client& redis) {
  web_figures f;
  const auto pages = counts(redis, "views:");
  for (const auto& [path, n] : pages)
    f.views += n;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, pages.size()); ++i)
    f.top += (i == 0 ? "" : ", ") + pages[i].first + " " + std::to_string(pages[i].second);
  f.clicks = total(redis, "clicks:");
  f.searches = total(redis, "searches:");
  command active{"PFCOUNT"};
  for (int minute = 0; minute < 5; ++minute)
    active.push_back("sessions:" + troupe::rfc3339(troupe::wall_ms() - minute * 60'000).substr(0, 16));
  f.sessions = number(ask(redis, active));
  return f;
}

video_figures read_videos(client& redis) {
  const auto in = [&](const std::string& stage) {
    return number(ask(redis, {"ZCARD", "videos:stage:" + stage}));
  };
  return {in("uploaded"), in("transcoded"), in("ready")};
}

device_figures read_devices(client& redis) {
  const auto limits = ask(redis, {"HMGET", "devices:thresholds", "late_ms", "silent_ms"});
  if (limits.items.size() != 2) return {};
  const auto now = static_cast<std::uint64_t>(troupe::wall_ms());
  const auto late = std::to_string(now - number(limits.items[0])),
             silent = std::to_string(now - number(limits.items[1]));
  const auto seen = [&](const std::string& from, const std::string& to) {
    return number(ask(redis, {"ZCOUNT", "devices:seen", from, to}));
  };
  return {seen(late, "+inf"), seen(silent, "(" + late), seen("-inf", "(" + silent),
          total(redis, "telemetry:status:")};
}

} // namespace demo
