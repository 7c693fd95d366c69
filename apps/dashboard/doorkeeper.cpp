#include "apps/dashboard/doorkeeper.hpp"

#include "apps/dashboard/answers.hpp"
#include "apps/dashboard/passwords.hpp"
#include "engine/log/log.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace troupe::dashboard {
namespace {

using nlohmann::json;

constexpr std::string_view cookie_name = "troupe_session";
constexpr std::size_t most_logins_waiting = 16;
constexpr std::size_t longest_password = 1024;
/// Of nobody's password: who tries a name that is none waits as long as for one that is.
constexpr const char* nobodys = "$argon2id$v=19$m=65536,t=3,p=1$VHJvdXBlVHJvdXBlVHJvdQ$"
                                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

steady_time now() {
  return std::chrono::steady_clock::now();
}

std::string header_of(const http::request& asked, std::string_view name) {
  const auto* value = asked.header(name);
  return value ? *value : std::string{};
}

std::string cookie_in(const http::request& asked) {
  const auto all = header_of(asked, "Cookie");
  std::string_view rest{all};
  while (!rest.empty()) {
    const auto end = rest.find(';');
    auto one = rest.substr(0, end);
    one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
    if (one.starts_with(cookie_name) && one.size() > cookie_name.size() && one[cookie_name.size()] == '=')
      return std::string{one.substr(cookie_name.size() + 1)};
    rest = end == rest.npos ? std::string_view{} : rest.substr(end + 1);
  }
  return {};
}

std::pair<std::string, std::string> cookie(const http::request& asked, const std::string& token, bool ends) {
  std::string text = std::string{cookie_name} + '=' + token + "; HttpOnly; SameSite=Strict; Path=/";
  if (ends) text += "; Max-Age=0";
  if (header_of(asked, "X-Forwarded-Proto") == "https") text += "; Secure";
  return {"Set-Cookie", text};
}

/// Who tries, for the throttle. A proxy on this host says whom it asks for.
std::string address_of(const http::request& asked) {
  const auto forwarded = header_of(asked, "X-Forwarded-For");
  if (forwarded.empty() || !is_loopback(asked.peer)) return asked.peer;
  const auto comma = forwarded.rfind(',');
  const auto last = comma == std::string::npos ? forwarded : forwarded.substr(comma + 1);
  return last.substr(std::min(last.find_first_not_of(' '), last.size()));
}

/// A proxy asks, for somebody who may be anywhere.
bool is_forwarded(const http::request& asked) {
  return asked.header("X-Forwarded-For") || asked.header("X-Forwarded-Host") || asked.header("Forwarded");
}

http::response too_often(milliseconds wait) {
  const auto seconds = std::to_string(std::chrono::ceil<std::chrono::seconds>(wait).count());
  auto r = problem(429, "too many attempts failed; try again in " + seconds + " s");
  r.headers.emplace_back("Retry-After", seconds);
  return r;
}

} // namespace

doorkeeper::doorkeeper(const present_config& config, std::string local_user)
    : config_{config}, access_{config.get()->dashboard, std::move(local_user)}, porter_{most_logins_waiting} {
}

std::optional<doorkeeper::caller> doorkeeper::identify(const http::request& asked) {
  if (!access_.asks_who()) return caller{access_.without_login(is_forwarded(asked)), csrf_};
  const auto token = cookie_in(asked);
  auto found = token.empty() ? std::nullopt : sessions_.find(token, now());
  if (!found) return std::nullopt;
  return caller{{.user = std::move(found->user), .operates = found->operates, .reads_payloads = true},
                std::move(found->csrf)};
}

std::optional<http::response> doorkeeper::refusal(const http::request& asked) const {
  const auto host = header_of(asked, "Host");
  if (!access_.answers_to(host))
    return problem(421, "this dashboard does not answer to the name in Host; add it to dashboard.hosts");
  if (asked.method == "GET") return std::nullopt;
  if (asked.method != "POST") return problem(405, "only GET and POST are known here");
  const auto origin = header_of(asked, "Origin");
  if (!access_.is_own_page(origin, host))
    return problem(403, origin.empty()
                            ? "a POST needs the header Origin with this dashboard's own address"
                            : "a page from elsewhere asks for this; behind a proxy, add its name to "
                              "dashboard.hosts");
  if (!asked.body.empty() && !header_of(asked, "Content-Type").starts_with("application/json"))
    return problem(415, "the body must be application/json");
  return std::nullopt;
}

std::optional<http::response> doorkeeper::refusal(const http::request& asked, const endpoint& what,
                                                  const std::optional<caller>& by) const {
  if (what.anybody) return std::nullopt;
  if (!by) {
    auto r =
        json_answer({{"status", 401}, {"detail", "log in first: POST /api/v1/login"}, {"login", true}}, 401);
    r.content_type = "application/problem+json";
    return r;
  }
  if (asked.method == "POST" && header_of(asked, "X-Troupe-CSRF") != by->csrf)
    return problem(403, "the header X-Troupe-CSRF is missing or old; take it from /api/v1/session");
  if (what.acts && !by->who.operates)
    return problem(403, access_.asks_who() ? "viewers can only look; ask an operator"
                                           : "nobody can act at this address until dashboard.auth is set");
  return std::nullopt;
}

http::response doorkeeper::session_of(const caller& c) const {
  json j{{"user", c.who.user},
         {"role", c.who.operates ? "operator" : "viewer"},
         {"csrf", c.csrf},
         {"payloads", c.who.reads_payloads},
         {"actions", c.who.operates},
         {"login", access_.asks_who()}};
  if (const auto text = access_.banner(c.who)) j["banner"] = *text;
  return json_answer(j);
}

/// On the porter's thread: hashing takes its time.
void doorkeeper::log_in(const http::request& asked, http::reply& to) {
  const auto body = object_in(asked);
  const auto user = body ? text_in(*body, "user") : std::nullopt;
  const auto password = body ? text_in(*body, "password") : std::nullopt;
  if (!user || !password || password->size() > longest_password)
    return to(problem(400, R"(write {"user": NAME, "password": PASSWORD})"));
  const auto address = address_of(asked);
  if (const auto wait = throttle_.wait(address, *user, now())) return to(too_often(*wait));
  const auto settings = config_.get();
  const auto& rules = settings->dashboard;
  const auto op = rules.operators.find(*user), viewer = rules.viewers.find(*user);
  const bool operates = op != rules.operators.end(), known = operates || viewer != rules.viewers.end();
  const auto& hash = operates ? op->second : known ? viewer->second : std::string{nobodys};
  if (!is_password(*password, hash) || !known) {
    throttle_.failed(address, *user, now());
    log::warning("login_failed", "somebody could not log in to the dashboard", {{"address", address}});
    return to(problem(401, "name or password are wrong"));
  }
  throttle_.succeeded(address, *user);
  const auto token = sessions_.begin(*user, operates, now());
  log::info("login", "logged in to the dashboard", {{"user", *user}, {"address", address}});
  const auto begun = sessions_.find(token, now());
  auto answer = session_of({{.user = *user, .operates = operates, .reads_payloads = true}, begun->csrf});
  answer.headers.push_back(cookie(asked, token, false));
  to(std::move(answer));
}

std::vector<endpoint> doorkeeper::endpoints() {
  return {
      {"GET", "/api/v1/session", false,
       [this](const http::request& asked, const visitor&, http::reply to) {
         to(session_of(*identify(asked)));
       }},
      {"POST", "/api/v1/login", false,
       [this](const http::request& asked, const visitor&, http::reply to) {
         if (!access_.asks_who()) return to(problem(409, "nobody logs in here: dashboard.auth is not set"));
         porter_.hand_in(std::move(to), [this, asked](http::reply& back) { log_in(asked, back); });
       },
       true},
      {"POST", "/api/v1/logout", false, [this](const http::request& asked, const visitor&, http::reply to) {
         sessions_.end(cookie_in(asked));
         to({.status = 204, .body = {}, .headers = {cookie(asked, "", true)}});
       }}};
}

} // namespace troupe::dashboard
