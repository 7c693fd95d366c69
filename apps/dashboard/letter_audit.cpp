#include "apps/dashboard/letter_audit.hpp"

#include "engine/log/log.hpp"
#include "engine/state/control.hpp"

namespace troupe::dashboard {

void letter_audit::begun(const job_view& j) const {
  log::info("letters_order", "an operator deals with dead letters",
            {{"action", verb_for(j.what)},
             {"topic", j.topic},
             {"by", j.by},
             {"cmd_id", j.id},
             {"messages", static_cast<std::int64_t>(j.progress.total)}});
  note(j.id, "dlq " + verb_for(j.what), j.topic, j.by,
       "begins: " + std::to_string(j.progress.total) + " letters");
}

void letter_audit::ended(const job_view& j) {
  count(verb_for(j.what), name_of(j.now));
  log::info("letters_order_ended", j.trouble.empty() ? "dealt with" : j.trouble,
            {{"action", verb_for(j.what)},
             {"topic", j.topic},
             {"cmd_id", j.id},
             {"messages", static_cast<std::int64_t>(j.progress.done)},
             {"result", name_of(j.now)}});
  if (!redis_) return;
  // Their marks in Kafka are what counts: without an answer only the figure is off.
  const auto left =
      state::note_resolved(*redis_, keys_, j.topic, j.progress.done, "dlq " + verb_for(j.what), j.by);
  if (!left)
    log::warning("letters_not_counted",
                 "the count of open dead letters in Redis was not lowered: " + left.failure().detail,
                 {{"topic", j.topic}});
}

void letter_audit::edited(const std::string& letter, const std::string& by,
                          const result<std::string>& target) {
  count("edit", target ? "done" : "failed");
  if (target) note({}, "dlq edit", letter, by, "a copy went to " + *target);
}

void letter_audit::tell(metrics::registry& into) const {
  const std::lock_guard hold{lock_};
  for (const auto& [what, n] : acted_) {
    auto& shown = into.counter("troupe_dlq_actions_total", {{"action", what.first}, {"result", what.second}});
    shown.add(n - shown.value());
  }
}

void letter_audit::count(const std::string& action, const std::string& result) {
  const std::lock_guard hold{lock_};
  ++acted_[{action, result}];
}

void letter_audit::note(const std::string& id, const std::string& action, const std::string& what,
                        const std::string& by, const std::string& outcome) const {
  if (!redis_) return;
  if (const auto noted = state::note(*redis_, keys_, id, action, what, by, outcome); !noted)
    log::warning("audit_incomplete", "Redis did not take it: " + noted.failure().detail,
                 {{"action", action}, {"what", what}, {"by", by}, {"result", outcome}});
}

} // namespace troupe::dashboard
