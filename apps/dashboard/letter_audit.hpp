#pragma once

#include "apps/dashboard/letter_jobs.hpp"
#include "engine/core/result.hpp"
#include "engine/metrics/registry.hpp"
#include "engine/redis/client.hpp"
#include "engine/state/layout.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace troupe::dashboard {

/// What is written down of what people do with dead letters: in the log, in Redis (the audit, the count of
/// open letters) and in the metrics. Thread-safe.
class letter_audit {
public:
  /// Without Redis neither the audit nor the count is kept.
  letter_audit(std::shared_ptr<redis::client> redis, const std::string& app)
      : redis_{std::move(redis)}, keys_{app} {}

  void begun(const job_view& j) const;
  void ended(const job_view& j);
  /// `target`: where the copy of the letter went, or why it did not.
  void edited(const std::string& letter, const std::string& by, const result<std::string>& target);
  /// How often what was done, as of now.
  void tell(metrics::registry& into) const;

private:
  void count(const std::string& action, const std::string& result);
  void note(const std::string& id, const std::string& action, const std::string& what, const std::string& by,
            const std::string& outcome) const;

  const std::shared_ptr<redis::client> redis_;
  const state::layout keys_;
  mutable std::mutex lock_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> acted_; ///< by action and how it ended
};

} // namespace troupe::dashboard
