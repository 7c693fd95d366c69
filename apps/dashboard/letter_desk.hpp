#pragma once

#include "engine/core/result.hpp"
#include "engine/deadletters/archive.hpp"
#include "engine/handler/executor.hpp"
#include "engine/kafka/connection.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace troupe::dashboard {

/// Where questions wait that have to read topics of dead letters: two are answered at a time. Thread-safe.
class letter_desk {
public:
  letter_desk(kafka::connection to, std::size_t most_waiting);
  ~letter_desk(); ///< what has not begun is let go; a question under way may still use us, and keeps us

  using question = std::function<void(const result<deadletters::archive*>&)>;
  /// Called with an archive of its own, or why there is none. False: as many wait as may.
  bool take(question what);

  /// What `read` answers, or what it answered before, for ten times as long as it took: pages that look
  /// again and again cost no more than a tenth of a reader. For the questions' threads.
  result<std::string> remembered(const std::string& topic, const std::string& name,
                                 const std::function<result<std::string>()>& read);
  /// After something was done to the topic's letters.
  void forget(const std::string& topic);

private:
  using clock = std::chrono::steady_clock;
  struct memory {
    std::string topic, text;
    clock::time_point until;
  };
  result<std::unique_ptr<deadletters::archive>> borrow();
  void give_back(std::unique_ptr<deadletters::archive> one);

  kafka::connection kafka_;
  std::size_t most_waiting_;
  std::mutex lock_;
  std::vector<std::unique_ptr<deadletters::archive>> free_;
  std::map<std::string, memory> memories_;       ///< by the question's name
  std::map<std::string, std::uint64_t> changes_; ///< by topic: how often something was done to its letters
  std::unique_ptr<executor> threads_;            ///< last: they use the others
};

} // namespace troupe::dashboard
