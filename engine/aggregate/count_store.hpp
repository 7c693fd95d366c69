#pragma once

#include "engine/aggregate/tally.hpp"
#include "engine/core/record.hpp"
#include "engine/core/result.hpp"
#include "engine/redis/client.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::aggregate {

/// What Redis holds of a group: the hash `<app>:positions:<group>` with the fields `ledger` (the identity of
/// this set of counts: gone or another means that Redis lost everything), `digest` (of what is counted) and
/// `<topic>/<partition>` (the next offset to count).
struct stored {
  std::string ledger; ///< empty: there is none
  std::string digest;
  std::vector<std::optional<std::int64_t>> positions; ///< in the order asked
};

struct initial_position {
  topic_partition where;
  std::int64_t offset = 0;
};

struct flush_answer {
  enum class kind {
    applied,      ///< counts and position moved together
    position,     ///< nothing changed: the stored position is `stored_position`
    other_ledger, ///< nothing changed: Redis was emptied and begun anew by another owner
    no_ledger,    ///< nothing changed: Redis lost everything
    no_position,  ///< nothing changed: the ledger is ours, this partition is unknown
    refused,      ///< nothing changed, and it will stay so until somebody mends it: wrong type, overflow
                  ///< (`detail`)
  };
  kind what = kind::applied;
  std::int64_t stored_position = 0;
  std::string detail;
};

/// The counts and the positions of one group in Redis, moved by one Lua script. Redis does not roll back, so
/// the script checks everything before it writes anything.
class count_store {
public:
  count_store(std::shared_ptr<redis::client> client, std::string app, std::string group);

  template <class T>
  using callback = std::function<void(result<T>)>;

  void read(std::vector<topic_partition> where, callback<stored> done);
  /// Atomically: where there is no ledger, writes this one with this digest; then sets each position that is
  /// not there yet. Answers what holds afterwards (positions in the order given).
  void claim(std::string ledger, std::string digest, std::vector<initial_position> missing,
             callback<stored> done);
  /// Moves the counts and the position from `from` to `to` in one step, or changes nothing and says why. With
  /// an empty delta and from == to it only looks. errors: unavailable (nothing was sent, or Redis said
  /// LOADING, READONLY, OOM, BUSY, MOVED …: nothing changed, try again), timeout (unknown: send the same
  /// again). The counts are shared, since whoever sends them again keeps them.
  void flush(const topic_partition& where, const std::string& ledger, std::int64_t from, std::int64_t to,
             std::shared_ptr<const delta> counts, callback<flush_answer> done);
  /// Moves the position alone, in one step, where it is `from`: back too, for a log that was begun anew.
  void rewind(const topic_partition& where, const std::string& ledger, std::int64_t from, std::int64_t to,
              callback<flush_answer> done);
  /// `--adopt`: takes the present digest as the stored one.
  void adopt(std::string digest, callback<bool> done);
  /// `--rebuild`: removes the group's hash and every key that the spec's `into` and `minute_into` can have
  /// made (SCAN by pattern, UNLINK). Answers how many keys went.
  void erase(const tally_spec& spec, callback<std::int64_t> done);

private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

/// A digest of what is counted: topics, where, count_by, into, minute_into.
std::string digest_of(const std::vector<std::string>& topics, const tally_spec& spec);

} // namespace troupe::aggregate
