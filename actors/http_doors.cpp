#include "actors/http_doors.hpp"

#include "engine/http/descriptors.hpp"
#include "engine/log/log.hpp"

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

/// Files that the process opens besides the connections of its ingests: to Kafka, to Redis, its own.
constexpr std::size_t kept_for_others = 256;

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
  std::size_t connections = 0; ///< at a time
  bool stopping = false;       ///< its routes go one by one

  void stop() {
    {
      const std::lock_guard hold{lock};
      stopping = true;
    }
    server->stop();
  }

  void add(route what) {
    auto& place = routes[what.path];
    const auto method = what.method;
    place.insert_or_assign(method, std::move(what));
  }

  void on_request(http::request asked, http::reply to) {
    http::server::handler on;
    {
      const std::lock_guard hold{lock};
      const auto at = routes.find(asked.path);
      if (at != routes.end())
        if (const auto r = at->second.find(asked.method); r != at->second.end()) on = r->second.to;
      if (!on && stopping)
        return to(problem_answer({503, "this address is closing; ask another one"}, milliseconds{1000}));
      if (at == routes.end()) return to(problem(404, "there is nothing at " + asked.path));
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

std::size_t http_doors::room(const std::string& listen, std::size_t wanted) const {
  const auto allowed = http::raise_descriptor_limit();
  auto taken = kept_for_others;
  for (const auto& [at, d] : doors_)
    taken += d->connections;
  if (allowed >= taken && wanted <= allowed - taken) return wanted;
  const auto left = allowed > taken ? std::min(wanted, allowed - taken) : 1;
  log::warning(
      "too_few_descriptors",
      listen + " holds " + std::to_string(left) + " connections at a time, not the " +
          std::to_string(wanted) + " of `limits.connections`, because this process may open " +
          std::to_string(allowed) +
          " files at most: raise its hard limit (`ulimit -Hn`, systemd's LimitNOFILE, docker's --ulimit "
          "nofile), or lower `limits.connections`",
      {{"listen", listen}});
  return left;
}

result<void> http_doors::open(const std::string& listen, http::server_options options, route what) {
  const std::lock_guard hold{lock_};
  auto here = doors_.find(listen);
  if (here != doors_.end()) {
    const std::lock_guard routes{here->second->lock};
    here->second->add(std::move(what));
    return {};
  }
  free_address(listen);
  options.connections = room(listen, options.connections);
  auto made = std::make_shared<door>();
  made->connections = options.connections;
  made->add(std::move(what)); // before anybody can ask: a 404 would be taken for an answer
  options.refusal = problem;
  auto server =
      http::server::start(listen, std::move(options), [d = made.get()](http::request asked, http::reply to) {
        d->on_request(std::move(asked), std::move(to));
      });
  if (!server) return server.failure();
  made->server = std::move(server).value();
  doors_.emplace(listen, std::move(made));
  return {};
}

/// Doors that were left end when nobody is there any more. Of those, this address is needed at once.
void http_doors::free_address(const std::string& listen) {
  std::erase_if(closing_, [](const auto& one) { return one.second->server->stopped(); });
  const auto [from, to] = closing_.equal_range(listen);
  std::for_each(from, to, [](const auto& one) { one.second->server->wait_closed(); });
}

void http_doors::leave(const std::string& listen, const std::string& method, const std::string& path) {
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
  at->second->stop();
  closing_.insert(doors_.extract(at));
}

void http_doors::stop() {
  const std::lock_guard hold{lock_};
  for (const auto& [listen, d] : doors_)
    d->stop();
}

bool http_doors::is_used(const std::string& listen) {
  const std::lock_guard hold{lock_};
  const auto at = doors_.find(listen);
  if (at == doors_.end()) return false;
  const std::lock_guard routes{at->second->lock};
  return at->second->stopping && !at->second->server->stopped();
}

void http_doors::close() {
  decltype(doors_) all;
  decltype(closing_) left;
  const std::lock_guard hold{lock_};
  all.swap(doors_);
  left.swap(closing_);
}

} // namespace troupe::actors
