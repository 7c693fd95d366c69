#pragma once

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/redis/client.hpp"
#include "engine/state/desired.hpp"
#include "engine/state/layout.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::state {

enum class pool_action { pause, resume, resize, reset };
std::string name_of(pool_action what);
std::optional<pool_action> action_named(std::string_view name);

/// What somebody wants done to an actor's pool, in all processes that run it.
struct order {
  std::string id;
  pool_action what = pool_action::pause;
  std::string actor;
  std::optional<unsigned> workers; ///< of resize
  std::string by;
  std::int64_t at_ms = 0, deadline_ms = 0; ///< later than this nobody waits for an answer any more
};

/// What one instance made of an order.
struct answer {
  bool done = false;         ///< false: it refused; the text says why
  bool runs_it = true;       ///< false: it has no such pool, so there was nothing to do
  std::string before, after; ///< its pool, in words
  std::string text;
};

/// What was desired before and after an order was given.
struct given {
  std::optional<desired> before, after;
};

// For whoever gives orders. These wait: never on an actor's thread.
/// Stores what is desired, and tells the running processes; one script, so that orders of two people follow
/// each other. It stands in the audit from then on.
result<given> give(redis::client& by, const layout& keys, const order& what);
/// By instance, those that have come.
result<std::map<std::string, answer>> answers_to(redis::client& by, const layout& keys,
                                                 const std::string& id);
/// How it ended, into the audit.
result<void> conclude(redis::client& by, const layout& keys, const order& what, const std::string& outcome);
/// An entry of the audit for what changes nothing in Redis: `id` ties it to others, and may be empty; `what`
/// is what it was done to.
result<void> note(redis::client& by, const layout& keys, const std::string& id, const std::string& action,
                  const std::string& what, const std::string& who, const std::string& outcome);

/// Dead letters that somebody dealt with: they are open no more, which stands in the audit. How many are
/// left.
result<std::int64_t> note_resolved(redis::client& by, const layout& keys, const std::string& topic,
                                   std::uint64_t count, const std::string& action, const std::string& who);

/// Where a process finds what is desired of it. Thread-safe; one look at a time.
class inbox {
public:
  struct mail {
    std::map<std::string, desired> wanted;            ///< by actor
    std::vector<order> orders;                        ///< since the last look
    std::map<std::string, std::int64_t> dead_letters; ///< open, by topic
  };
  inbox(std::shared_ptr<redis::client> from, const std::string& app, std::string instance);
  ~inbox();

  /// The first look, which waits: what is desired now. Orders from before it are nobody's any more.
  result<mail> open();
  /// `found` is called on the client's thread, unless the last look is still under way or Redis does not
  /// answer. The first answer after a failed open() counts as the first look.
  void look(std::function<void(mail)> found);
  void reply(const std::string& order, const answer& what);

private:
  struct box;
  std::shared_ptr<box> box_;
};

} // namespace troupe::state
