#include "actors/http_doors.hpp"

#include <algorithm>

namespace troupe::actors {

http::response problem_answer(const ingest::problem& why, std::optional<milliseconds> retry_after) {
  http::response answer{
      .status = why.status, .content_type = "application/problem+json", .body = ingest::problem_json(why)};
  if (retry_after)
    answer.headers.emplace_back(
        "Retry-After", std::to_string(std::max<std::int64_t>(1, (retry_after->count() + 999) / 1000)));
  return answer;
}

void allow_origin(http::response& answer, const std::string& cors) {
  if (cors.empty()) return;
  answer.headers.emplace_back("Access-Control-Allow-Origin", cors);
  if (cors != "*") answer.headers.emplace_back("Vary", "Origin");
}

namespace {

using by_method = std::map<std::string, http_doors::route>;

http::response preflight(const by_method& routes) {
  http::response answer{.status = 204, .content_type = {}, .body = {}};
  std::string methods;
  for (const auto& [method, r] : routes) {
    if (r.cors.empty()) continue;
    if (methods.empty()) {
      allow_origin(answer, r.cors);
      answer.headers.emplace_back("Access-Control-Allow-Headers",
                                  "content-type, idempotency-key" +
                                      (r.key_header.empty() ? "" : ", " + r.key_header));
      answer.headers.emplace_back("Access-Control-Max-Age", "86400");
    }
    methods += (methods.empty() ? "" : ", ") + method;
  }
  answer.headers.emplace_back("Access-Control-Allow-Methods", methods);
  return answer;
}

http::response problem(int status, std::string detail) {
  return problem_answer({status, std::move(detail)});
}

} // namespace

struct http_doors::door {
  std::mutex lock;
  std::map<std::string, by_method> routes; ///< by path
  std::unique_ptr<http::server> server;

  void on_request(http::request asked, http::reply to) {
    http::server::handler on;
    {
      const std::lock_guard hold{lock};
      const auto at = routes.find(asked.path);
      if (at == routes.end()) return to(problem(404, "there is nothing at " + asked.path));
      if (const auto r = at->second.find(asked.method); r != at->second.end()) on = r->second.to;
      if (!on) {
        std::string methods;
        bool cors = false;
        for (const auto& [method, r] : at->second) {
          methods += (methods.empty() ? "" : ", ") + method;
          cors = cors || !r.cors.empty();
        }
        if (asked.method == "OPTIONS" && cors) return to(preflight(at->second));
        auto answer = problem(405, asked.path + " takes " + methods + ", not " + asked.method);
        answer.headers.emplace_back("Allow", methods);
        return to(std::move(answer));
      }
    }
    on(std::move(asked), std::move(to));
  }
};

result<void> http_doors::open(const std::string& listen, http::server_options options, route what) {
  const std::lock_guard hold{lock_};
  auto& here = doors_[listen];
  if (!here) {
    auto made = std::make_shared<door>();
    options.refusal = problem;
    auto server = http::server::start(listen, std::move(options),
                                      [d = made.get()](http::request asked, http::reply to) {
                                        d->on_request(std::move(asked), std::move(to));
                                      });
    if (!server) {
      doors_.erase(listen);
      return server.failure();
    }
    made->server = std::move(server).value();
    here = std::move(made);
  }
  const std::lock_guard routes{here->lock};
  auto& place = here->routes[what.path];
  const auto method = what.method;
  place.insert_or_assign(method, std::move(what));
  return {};
}

void http_doors::leave(const std::string& listen, const std::string& method, const std::string& path) {
  std::shared_ptr<door> empty; // its server ends without our locks, since its thread may wait for them
  const std::lock_guard hold{lock_};
  const auto at = doors_.find(listen);
  if (at == doors_.end()) return;
  {
    const std::lock_guard routes{at->second->lock};
    auto& place = at->second->routes[path];
    place.erase(method);
    if (place.empty()) at->second->routes.erase(path);
    if (!at->second->routes.empty()) return;
  }
  empty = std::move(at->second);
  doors_.erase(at);
}

void http_doors::stop_accepting() {
  const std::lock_guard hold{lock_};
  for (const auto& [listen, d] : doors_)
    d->server->stop_accepting();
}

void http_doors::close() {
  std::map<std::string, std::shared_ptr<door>> all;
  const std::lock_guard hold{lock_};
  all.swap(doors_);
}

} // namespace troupe::actors
