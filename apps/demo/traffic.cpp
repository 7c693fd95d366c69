#include "apps/demo/traffic.hpp"

#include "engine/core/time.hpp"
#include "engine/core/uuid.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <random>

namespace demo {
namespace {

using json = nlohmann::ordered_json;
using std::chrono::milliseconds;

constexpr milliseconds step{50};
constexpr milliseconds patience{10'000};
constexpr std::uint64_t most_under_way = 256;
constexpr double day_seconds = 120;
constexpr double opening_hour = 8;

/// From 0.15 at night to 1 in the early evening.
double activity(double hour) {
  return 0.575 - 0.425 * std::cos(2 * std::numbers::pi * (hour - 7) / 24);
}

struct product {
  const char* id;
  double price;
};
constexpr std::array products{product{"SKU-001", 29.99}, product{"SKU-002", 129.0}, product{"SKU-003", 8.5},
                              product{"SKU-004", 749.9}, product{"SKU-005", 15.25}, product{"SKU-006", 59.0}};

struct page {
  const char* path;
  std::array<const char*, 3> leads_to;
  const char* button;
};
constexpr std::array pages{
    page{"/", {"/products", "/sale", "/about"}, "hero"},
    page{"/products", {"/products/lamp", "/products/chair", "/products/desk"}, "filter"},
    page{"/sale", {"/products/lamp", "/products/rug", "/products"}, "banner"},
    page{"/products/lamp", {"/cart", "/products", "/products/desk"}, "add-to-cart"},
    page{"/products/chair", {"/cart", "/products", "/products/desk"}, "add-to-cart"},
    page{"/products/desk", {"/cart", "/products/chair", "/products"}, "add-to-cart"},
    page{"/products/rug", {"/cart", "/sale", "/products"}, "add-to-cart"},
    page{"/cart", {"/checkout", "/products", "/"}, "checkout"},
    page{"/checkout", {"/", "/", "/"}, "pay"},
    page{"/about", {"/", "/products", "/"}, "newsletter"},
};
constexpr std::array terms{"lamp", "desk lamp", "chair", "rug", "gift", "blue rug", "desk"};

const page& page_at(std::string_view path) {
  return *std::find_if(pages.begin(), pages.end() - 1, [&](const page& p) { return p.path == path; });
}

class people {
public:
  std::size_t pick(std::size_t below) {
    return std::uniform_int_distribution<std::size_t>{0, below - 1}(dice_);
  }
  bool happens(double chance) { return std::bernoulli_distribution{chance}(dice_); }
  /// A few come often, most seldom.
  std::size_t regular(std::size_t below) {
    return static_cast<std::size_t>(static_cast<double>(below) *
                                    std::pow(std::uniform_real_distribution<double>{}(dice_), 2));
  }

private:
  std::mt19937_64 dice_{std::random_device{}()};
};

struct visitor {
  std::string session = troupe::random_uuid(), user;
  std::string_view path = "/";
};

json event_of(const visitor& who, const char* type, json payload) {
  return {
      {"type", type}, {"user_id", who.user}, {"session_id", who.session}, {"payload", std::move(payload)}};
}

std::string order_of(people& some) {
  auto items = json::array();
  for (std::size_t n = 1 + some.pick(3); n > 0; --n) {
    const auto& p = products[some.regular(products.size())];
    items.push_back({{"product_id", p.id}, {"quantity", 1 + some.pick(3)}, {"price", p.price}});
  }
  return json{{"items", std::move(items)}}.dump();
}

/// Reports once a second while it is switched on.
struct sensor {
  std::string id;
  double next = 0, until = 0; ///< seconds since the start
  bool on = false;
};

/// How many events are due: the fractions of a step are not lost.
class due {
public:
  unsigned of(double per_second) {
    owed_ += per_second * std::chrono::duration<double>{step}.count();
    const auto whole = static_cast<unsigned>(owed_);
    owed_ -= whole;
    return whole;
  }

private:
  double owed_ = 0;
};

} // namespace

traffic::traffic(places where, unsigned rate) : where_{std::move(where)}, rate_{rate} {
  if (!where_.brokers.empty()) {
    troupe::kafka::producer_config to;
    to.connection.brokers = where_.brokers;
    if (auto out = troupe::kafka::producer::open(std::move(to))) sensors_ = std::move(out).value();
  }
  thread_ = std::thread{[this] { work(); }};
}

traffic::~traffic() {
  end();
}

void traffic::end() {
  over_ = true;
  if (!thread_.joinable()) return;
  thread_.join();
  if (sensors_) sensors_->flush(patience);
  const auto until = std::chrono::steady_clock::now() + patience;
  const auto waits = [this] {
    return orders.under_way + views.under_way + clicks.under_way + searches.under_way + uploads.under_way > 0;
  };
  while (waits() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(step);
}

std::string traffic::clock() const {
  const auto seconds = std::chrono::duration<double>{std::chrono::steady_clock::now() - begin_}.count();
  const auto minutes = static_cast<int>((opening_hour + seconds * 24 / day_seconds) * 60) % (24 * 60);
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%02d:%02d", minutes / 60, minutes % 60);
  return text.data();
}

void traffic::post(const std::string& url, std::string body, requests& counted,
                   std::vector<std::pair<std::string, std::string>> headers) {
  if (counted.under_way >= most_under_way) return;
  ++counted.under_way;
  headers.emplace_back("Content-Type", "application/json");
  troupe::http::call call{
      .to = troupe::http::parse_url(url).value(), .headers = std::move(headers), .body = std::move(body)};
  client_.send(std::move(call), patience, [&counted](const auto& got) {
    const auto* answer = std::get_if<troupe::http::answer>(&got);
    const auto* broken = std::get_if<troupe::http::broken_call>(&got);
    const bool sent = answer || broken->kind != troupe::http::failure::no_connection;
    ++(answer && answer->status < 300 ? counted.accepted
       : answer || !sent              ? counted.refused
                                      : counted.unknown);
    --counted.under_way;
  });
}

void traffic::work() {
  people some;
  due visits, buys, films;
  std::vector<visitor> here;
  std::vector<sensor> fleet;
  for (int i = 1; sensors_ && i <= 50; ++i)
    fleet.push_back({"sensor-" + std::to_string(i)});

  const auto look_around = [&] {
    if (here.size() < 10 + rate_ / 4) {
      here.emplace_back();
      here.back().user = "user-" + std::to_string(some.regular(500));
    }
    const auto index = some.pick(here.size());
    auto& who = here[index];
    const auto& now = page_at(who.path);
    if (some.happens(0.15)) {
      post(where_.events, event_of(who, "click", {{"element", now.button}, {"path", now.path}}).dump(),
           clicks);
    } else if (some.happens(0.08)) {
      post(where_.events, event_of(who, "search", {{"term", terms[some.regular(terms.size())]}}).dump(),
           searches);
    } else {
      post(where_.events, event_of(who, "page_view", {{"path", now.path}}).dump(), views);
      who.path = now.leads_to[some.pick(now.leads_to.size())];
    }
    if (some.happens(0.1)) here.erase(here.begin() + static_cast<std::ptrdiff_t>(index));
  };
  const auto report = [&](sensor& s, double second) {
    if (second >= s.until) {
      s.on = !s.on;
      s.until = second + (s.on ? 20 + 3.0 * static_cast<double>(some.pick(20))
                               : 3 + static_cast<double>(some.pick(20)));
      s.next = second;
    }
    if (!s.on || second < s.next) return;
    s.next = second + 1;
    const char* status = some.happens(0.92) ? "healthy" : some.happens(0.7) ? "degraded" : "failing";
    troupe::outgoing event;
    event.topic = "telemetry-events";
    event.key = s.id;
    event.value = json{{"status", status}}.dump();
    sensors_->produce(event, [this](const auto& r) { ++(r ? reports.accepted : reports.unknown); });
  };

  auto next = begin_;
  while (!over_) {
    next += step;
    std::this_thread::sleep_until(next);
    if (held_) continue;
    const auto second = std::chrono::duration<double>{next - begin_}.count();
    const auto busy = activity(std::fmod(opening_hour + second * 24 / day_seconds, 24.0));
    for (auto n = where_.events.empty() ? 0 : visits.of(busy * rate_); n > 0; --n)
      look_around();
    for (auto n = where_.checkout.empty() ? 0 : buys.of(busy * rate_ / 20); n > 0; --n)
      post(where_.checkout, order_of(some), orders,
           {{"X-Customer-ID", "customer-" + std::to_string(some.regular(200))}});
    for (auto n = where_.videos.empty() ? 0 : films.of(busy * rate_ / 500); n > 0; --n)
      post(where_.videos,
           json{{"s3_key", where_.clips[some.pick(where_.clips.size())]},
                {"user_id", "creator-" + std::to_string(some.regular(20))},
                {"size_bytes", 1'000'000 + some.pick(90'000'000)}}
               .dump(),
           uploads);
    for (auto& s : fleet)
      report(s, second);
  }
}

} // namespace demo
