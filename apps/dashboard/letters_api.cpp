#include "apps/dashboard/letters_api.hpp"

#include "apps/dashboard/answers.hpp"
#include "apps/dashboard/letter_audit.hpp"
#include "apps/dashboard/letter_desk.hpp"
#include "apps/dashboard/letter_jobs.hpp"
#include "apps/dashboard/letter_listing.hpp"
#include "apps/dashboard/letter_orders.hpp"
#include "engine/core/time.hpp"
#include "engine/deadletters/edited_copy.hpp"
#include "engine/deadletters/letter_json.hpp"

#include <nlohmann/json.hpp>

namespace troupe::dashboard {
namespace {

using tree = nlohmann::ordered_json;
using deadletters::archive;

constexpr std::string_view jobs_path = "/api/v1/dlq/jobs/";

/// Of what the archive and the resolver answer.
http::response problem_of(const error& what) {
  if (what.code == errc::usage) return problem(404, what.detail);
  if (what.code == errc::refused) return problem(409, what.detail);
  return problem(what);
}

/// What is not known is not there.
nlohmann::json without_nulls(nlohmann::json all) {
  if (all.is_object())
    for (auto at = all.begin(); at != all.end();)
      at = at->is_null() ? all.erase(at) : std::next(at);
  for (auto& inner : all)
    if (inner.is_structured()) inner = without_nulls(std::move(inner));
  return all;
}

} // namespace

struct letters_api::impl : std::enable_shared_from_this<impl> {
  explicit impl(letters_scene s)
      : about{std::move(s)}, audit{about.redis, about.config.get()->app}, desk{about.kafka, most_waiting},
        jobs{about.kafka,
             {[this](const job_view& j) { audit.begun(j); },
              [this](const job_view& j) {
                desk.forget(j.topic);
                audit.ended(j);
              }}} {}

  const letters_scene about;
  letter_audit audit;
  letter_desk desk;
  letter_jobs jobs; ///< last: its listeners use the others

  using answer = std::function<http::response(archive&)>;
  void ask(http::reply to, answer how);

  void list(const http::request& asked, const visitor& who, http::reply to);
  void show(const http::request& asked, const visitor& who, http::reply to);
  void plan(const http::request& asked, const visitor& who, http::reply to);
  void begin(const http::request& asked, const visitor& who, http::reply to);
  void edit(const http::request& asked, const visitor& who, http::reply to);
  void job(const http::request& asked, http::reply to) const;
  void list_jobs(http::reply to) const;
  void stop(const http::request& asked, http::reply to);

  /// By the config as it is now. Asked for before a question waits: the config may be gone before that ends.
  [[nodiscard]] deadletters::routes ways() const { return deadletters::routes{*about.config.get()}; }
  /// Why a topic is not looked into.
  [[nodiscard]] std::optional<http::response> stranger(const std::string& topic) const;
  http::response start(archive& in, const letter_order& asked, const deadletters::routes& by,
                       const std::string& who);
};

void letters_api::impl::ask(http::reply to, answer how) {
  auto back = std::make_shared<http::reply>(std::move(to));
  const bool taken =
      desk.take([self = shared_from_this(), back, how = std::move(how)](const result<archive*>& in) {
        (*back)(in ? how(**in) : problem_of(in.failure()));
      });
  if (!taken) (*back)(problem(503, "too many questions about dead letters at a time: try again in a second"));
}

std::optional<http::response> letters_api::impl::stranger(const std::string& topic) const {
  if (about.kafka.embedded)
    return problem(409,
                   "kafka.brokers is embedded: that broker lives and dies with the process that runs the "
                   "actors; its dead letters can only be read on a real one");
  if (!deadletters::writers_of(*about.config.get(), topic).empty()) return std::nullopt;
  return problem(404, "no actor of the config writes its dead letters to '" + topic + "'");
}

void letters_api::impl::list(const http::request& asked, const visitor& who, http::reply to) {
  auto what = read_question(parameters_of(asked.query), wall_ms());
  if (!what) return to(problem(400, what.failure().detail));
  if (auto no = stranger(what->topic)) return to(std::move(*no));
  if (!who.reads_payloads && !looks_at_deaths_only(what->which))
    return to(problem(403, "payloads are hidden here, so letters can only be filtered by their place and by "
                           "what says why they died: error, error-class, actor, attempts, …"));
  ask(std::move(to), [this, q = std::move(*what), keys = who.reads_payloads](archive& in) {
    auto read =
        desk.remembered(q.topic, (keys ? "whole " : "hidden ") + q.text, [&]() -> result<std::string> {
          letter_listing listing{q.which, q.most, keys};
          const auto done = in.scan(q.topic, {}, [&](const record& letter, auto resolved) {
            listing.add(letter, resolved);
            return true;
          });
          if (!done) return done.failure();
          tree shown{{"topic", q.topic}, {"at", wall_ms()}};
          shown.update(listing.json());
          return text_of(without_nulls(std::move(shown)));
        });
    if (!read) return problem_of(read.failure());
    return http::response{.content_type = "application/json", .body = std::move(*read)};
  });
}

void letters_api::impl::show(const http::request& asked, const visitor& who, http::reply to) {
  const auto topic = parameter(asked, "topic").value_or("");
  if (auto no = stranger(topic)) return to(std::move(*no));
  const auto place =
      read_place(parameter(asked, "partition").value_or(""), parameter(asked, "offset").value_or(""));
  if (!place) return to(problem(400, place.failure().detail));
  ask(std::move(to), [topic, at = *place, whole = who.reads_payloads](archive& in) {
    const auto found = in.find(topic, at.first, at.second);
    if (!found) return problem_of(found.failure());
    return json_answer(
        without_nulls(whole ? deadletters::json_of(found->letter, found->resolved)
                            : deadletters::json_without_payload(found->letter, found->resolved)));
  });
}

void letters_api::impl::plan(const http::request& asked, const visitor& who, http::reply to) {
  const auto order = read_order(asked.body, wall_ms());
  if (!order) return to(problem(400, order.failure().detail));
  if (auto no = stranger(order->order.topic)) return to(std::move(*no));
  ask(std::move(to), [this, what = order->order, by = ways(), keys = who.reads_payloads](archive& in) {
    const auto made = deadletters::resolver{about.kafka, by}.make_plan(in, what);
    return made ? json_answer(dashboard::json_of(*made, keys)) : problem_of(made.failure());
  });
}

void letters_api::impl::begin(const http::request& asked, const visitor& who, http::reply to) {
  auto order = read_order(asked.body, wall_ms());
  if (!order) return to(problem(400, order.failure().detail));
  if (!order->count)
    return to(problem(400, "\"count\" is missing: the number of letters that /api/v1/dlq/plan answered"));
  if (auto no = stranger(order->order.topic)) return to(std::move(*no));
  ask(std::move(to), [this, what = std::move(*order), by = ways(), who = who.user](archive& in) {
    return start(in, what, by, who);
  });
}

http::response letters_api::impl::start(archive& in, const letter_order& asked, const deadletters::routes& by,
                                        const std::string& who) {
  auto made = deadletters::resolver{about.kafka, by}.make_plan(in, asked.order);
  if (!made) return problem_of(made.failure());
  if (made->count() != *asked.count)
    return problem(409, "it was about " + std::to_string(*asked.count) + " letters, and is about " +
                            std::to_string(made->count()) + " by now: look again, then confirm that");
  if (made->count() == 0) return problem(409, "there is nothing open to be done");
  if (asked.order.to_source && asked.order.what == deadletters::action::replayed) {
    if (made->counts.size() > 1)
      return problem(409, "a replay to the source goes to one topic at a time, and these go to " +
                              std::to_string(made->counts.size()));
    if (const auto& source = made->counts.begin()->first; asked.typed != source)
      return problem(409,
                     "every group that reads " + source + " handles them again: \"typed\" must be that name");
  }
  auto job = jobs.start(std::move(*made), by, who);
  if (!job) return problem_of(job.failure());
  return json_answer({{"job", *job}}, 202);
}

void letters_api::impl::edit(const http::request& asked, const visitor& who, http::reply to) {
  auto wanted = read_edit(asked.body);
  if (!wanted) return to(problem(400, wanted.failure().detail));
  if (!who.reads_payloads) return to(problem(403, "payloads are hidden here: they cannot be edited either"));
  if (auto no = stranger(wanted->topic)) return to(std::move(*no));
  ask(std::move(to), [this, what = std::move(*wanted), ways = ways(), by = who.user](archive& in) {
    const auto found = in.find(what.topic, what.partition, what.offset);
    if (!found) return problem_of(found.failure());
    const auto target = deadletters::send_edited(about.kafka, ways, in, *found, what.value, by);
    audit.edited(found->letter.id(), by, target);
    return target ? json_answer({{"target", *target}}, 202) : problem_of(target.failure());
  });
}

void letters_api::impl::job(const http::request& asked, http::reply to) const {
  const auto found = jobs.find(std::string{rest_of(asked, jobs_path)});
  to(found ? json_answer(dashboard::json_of(*found))
           : problem(404, "there is no such job in this process; it may have been started again since"));
}

void letters_api::impl::list_jobs(http::reply to) const {
  tree all = tree::array();
  for (const auto& j : jobs.newest())
    all.push_back(dashboard::json_of(j));
  to(json_answer({{"jobs", std::move(all)}}));
}

void letters_api::impl::stop(const http::request& asked, http::reply to) {
  auto id = std::string{rest_of(asked, jobs_path)};
  constexpr std::string_view end = "/stop";
  const bool named = id.ends_with(end);
  if (named) id.resize(id.size() - end.size());
  to(named && jobs.stop(id) ? http::response{.status = 204, .body = {}}
                            : problem(404, "there is no such job in this process"));
}

letters_api::letters_api(letters_scene about) : impl_{std::make_shared<impl>(std::move(about))} {}
letters_api::~letters_api() {
  close();
}

void letters_api::close() {
  impl_->jobs.close();
}

void letters_api::tell(metrics::registry& into) const {
  impl_->audit.tell(into);
}

std::vector<endpoint> letters_api::endpoints() const {
  using request = const http::request&;
  using person = const visitor&;
  const auto i = impl_; // requests may still be under way when we are gone
  return {{"GET", "/api/v1/dlq", false,
           [i](request q, person who, http::reply to) { i->list(q, who, std::move(to)); }},
          {"GET", "/api/v1/dlq/letter", false,
           [i](request q, person who, http::reply to) { i->show(q, who, std::move(to)); }},
          {"POST", "/api/v1/dlq/plan", true,
           [i](request q, person who, http::reply to) { i->plan(q, who, std::move(to)); }},
          {"POST", "/api/v1/dlq/jobs", true,
           [i](request q, person who, http::reply to) { i->begin(q, who, std::move(to)); }},
          {"GET", "/api/v1/dlq/jobs", false,
           [i](request, person, http::reply to) { i->list_jobs(std::move(to)); }},
          {"GET", "/api/v1/dlq/jobs/*", false,
           [i](request q, person, http::reply to) { i->job(q, std::move(to)); }},
          {"POST", "/api/v1/dlq/jobs/*", true,
           [i](request q, person, http::reply to) { i->stop(q, std::move(to)); }},
          {"POST", "/api/v1/dlq/edit", true,
           [i](request q, person who, http::reply to) { i->edit(q, who, std::move(to)); }}};
}

} // namespace troupe::dashboard
