#pragma once

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/deadletters/resolver.hpp"
#include "engine/kafka/connection.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace troupe::dashboard {

/// {"count", "targets", "skipped", "first_keys"}; the keys only where they may be seen.
nlohmann::ordered_json json_of(const deadletters::plan& what, bool keys);

/// What became of an order so far.
struct job_view {
  enum class state { running, done, failed, stopped };
  std::string id, by;
  std::string topic;
  deadletters::action what = deadletters::action::replayed;
  state now = state::running;
  std::int64_t begun_ms = 0;
  double seconds = 0; ///< for how long it has been at work, or was
  deadletters::progress progress;
  std::string trouble; ///< the last one; empty: none
};
nlohmann::ordered_json json_of(const job_view& job);
std::string name_of(job_view::state s);
/// replay, discard
std::string verb_for(deadletters::action what);

/// Orders about dead letters that this process carries out, each on a thread of its own. What a stop or a
/// kill leaves undone is open, so that the same order once more goes on there. Thread-safe.
class letter_jobs {
public:
  static constexpr std::size_t most_at_once = 4;
  static constexpr std::size_t most_kept = 20;

  /// `began` and `ended` are called on the job's thread.
  struct listeners {
    std::function<void(const job_view&)> began, ended;
  };
  letter_jobs(kafka::connection to, listeners who);
  ~letter_jobs();
  /// Stops them all, and waits for what is under way. None begins any more.
  void close();

  /// The job's id. errc::conflict while another one is at work on the topic; errc::unavailable while as many
  /// as may be are running.
  result<std::string> start(deadletters::plan what, deadletters::routes ways, std::string by);
  [[nodiscard]] std::optional<job_view> find(const std::string& id) const;
  [[nodiscard]] std::vector<job_view> newest() const; ///< the newest first
  /// After the letters that are under way; false where there is no such job.
  bool stop(const std::string& id);

private:
  struct job;
  void work(job& on, const std::stop_token& stop);
  void forget_old();

  kafka::connection kafka_;
  listeners listeners_;
  mutable std::mutex lock_;
  bool closed_ = false;
  std::list<std::unique_ptr<job>> jobs_; ///< the newest first
};

} // namespace troupe::dashboard
