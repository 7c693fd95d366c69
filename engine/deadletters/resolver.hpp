#pragma once

#include "engine/deadletters/archive.hpp"
#include "engine/deadletters/routes.hpp"
#include "engine/kafka/admin.hpp"
#include "engine/kafka/transactions.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace troupe::deadletters {

/// What is to become of which letters of one topic.
struct order {
  std::string topic;
  action what = action::replayed;
  filter which;
  std::size_t most = std::numeric_limits<std::size_t>::max();
  bool to_source = false; ///< replay for all who read the source, instead of for the actor alone
  bool force = false;     ///< also what came back `most_replays` times already
};

/// A letter that came back so often is left alone unless forced to: it goes in circles.
constexpr unsigned most_replays = 3;

/// Which letters an order means, as they lay there when it was made.
struct plan {
  deadletters::order order;
  std::map<std::int32_t, std::vector<std::int64_t>> letters; ///< by partition, ascending
  std::map<std::string, route> targets;                      ///< by the topic they go to
  std::map<std::string, std::uint64_t> counts;               ///< by the topic they go to
  std::map<std::string, std::uint64_t> left_out;             ///< by the reason
  std::vector<std::string> first_keys;                       ///< of the first few, to know them again

  [[nodiscard]] std::uint64_t count() const;
};

struct progress {
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::map<std::string, std::uint64_t> left_out; ///< by the reason; those of the plan included
};

struct pace {
  double rate = 0;                                 ///< letters a second; 0: as fast as it goes
  std::string by;                                  ///< who, for the marks
  std::function<void(const progress&)> report;     ///< after every few; may be empty
  std::function<void(const std::string&)> trouble; ///< with the connection; from other threads too
};

/// Brings letters back, or lays them to rest. Each letter's event and its mark are one transaction with
/// others: after a kill at any moment a letter is either open or both replayed and marked, so that the same
/// order once more goes on where it was cut off. Of two at work on one topic the later one takes over.
class resolver {
public:
  resolver(kafka::connection to, routes ways) : connection_{std::move(to)}, ways_{std::move(ways)} {}

  result<plan> make_plan(archive& in, const order& what);
  /// Until all is done or a stop is asked for, which ends it after the letters under way. errc::conflict
  /// where another one took over; errc::unavailable when Kafka takes nothing for a minute. What is done by
  /// then stands in `so_far`, also when it fails.
  result<void> carry_out(archive& in, const plan& what, const pace& how, std::stop_token stop,
                         progress& so_far);

private:
  kafka::connection connection_;
  routes ways_;
};

} // namespace troupe::deadletters
