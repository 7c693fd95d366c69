#include "apps/dashboard/gate.hpp"

#include "apps/dashboard/answers.hpp"
#include "apps/dashboard/assets.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

namespace troupe::dashboard {
namespace {

constexpr std::string_view api = "/api/";
constexpr const char* content_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// All answers of it are guarded.
http::reply guarded_reply(http::reply to) {
  auto back = std::make_shared<http::reply>(std::move(to));
  return http::reply{
      [back](http::response r) { (*back)(guarded(std::move(r))); },
      [back](http::response head, std::size_t most) { return back->open(guarded(std::move(head)), most); }};
}

bool fits(const endpoint& e, std::string_view path) {
  if (!e.path.ends_with("/*")) return e.path == path;
  const auto folder = std::string_view{e.path}.substr(0, e.path.size() - 1);
  return path.starts_with(folder) && path.size() > folder.size();
}

} // namespace

http::response guarded(http::response answer) {
  const auto add = [&](const char* name, const char* value) { answer.headers.emplace_back(name, value); };
  add("Content-Security-Policy", content_policy);
  add("X-Content-Type-Options", "nosniff");
  add("Referrer-Policy", "no-referrer");
  add("Cross-Origin-Opener-Policy", "same-origin");
  add("Cross-Origin-Resource-Policy", "same-origin");
  if (std::none_of(answer.headers.begin(), answer.headers.end(),
                   [](const auto& h) { return h.first == "Cache-Control"; }))
    add("Cache-Control", "no-store");
  return answer;
}

gate::gate(doorkeeper& keeper, std::vector<endpoint> table) : keeper_{keeper}, table_{std::move(table)} {
  table_.push_back({"GET", "/api/v1", false,
                    [this](const http::request&, const visitor&, http::reply to) { to(index()); }});
}

http::response gate::index() const {
  auto all = nlohmann::json::array();
  for (const auto& e : table_)
    all.push_back({{"method", e.method}, {"path", e.path}, {"acts", e.acts}, {"anybody", e.anybody}});
  return json_answer({{"endpoints", std::move(all)}});
}

const endpoint* gate::find(const http::request& asked, bool any_method) const {
  const endpoint* found = nullptr;
  for (const auto& e : table_)
    if ((any_method || e.method == asked.method) && fits(e, asked.path) &&
        (!found || e.path.size() > found->path.size()))
      found = &e;
  return found;
}

void gate::answer(const http::request& asked, http::reply to) {
  auto back = guarded_reply(std::move(to));
  if (auto no = keeper_.refusal(asked)) return back(std::move(*no));
  if (asked.path.starts_with(api)) return answer_api(asked, std::move(back));
  auto page = asked.method == "GET" ? asset_answer(asked) : std::nullopt;
  back(page ? std::move(*page) : problem(404, "there is nothing here"));
}

void gate::answer_api(const http::request& asked, http::reply to) {
  const auto* what = find(asked);
  if (!what) {
    const auto* other = find(asked, true);
    if (!other) return to(problem(404, "the API has no such place; GET /api/v1 names all there are"));
    auto no = problem(405, "this place takes " + other->method);
    no.headers.emplace_back("Allow", other->method);
    return to(std::move(no));
  }
  const auto by = keeper_.identify(asked);
  if (auto no = keeper_.refusal(asked, *what, by)) return to(std::move(*no));
  what->answer(asked, by ? by->who : visitor{}, std::move(to));
}

} // namespace troupe::dashboard
