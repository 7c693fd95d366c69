#include "engine/deadletters/resolver.hpp"

#include "engine/core/time.hpp"
#include "engine/deadletters/letter.hpp"
#include "engine/deadletters/replay_topic.hpp"
#include "engine/flow/dead_letter.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace troupe::deadletters {
namespace {

using clock = std::chrono::steady_clock;
using kind = kafka::transaction_outcome::kind;

constexpr std::size_t most_in_one = 500;
constexpr std::size_t most_bytes = std::size_t{8} << 20;
constexpr milliseconds ask_timeout{10'000};
constexpr milliseconds pause{1000};
constexpr std::size_t most_keys = 3; ///< of a plan, for whoever is asked
/// How long nothing may be committed: while it goes on, and after a stop was asked for.
constexpr milliseconds patience{60'000}, last_patience{5000};

error refuse(std::string why) {
  return {errc::refused, std::move(why)};
}

/// Waits, at most until then; true where a stop was asked for.
bool wait_until(clock::time_point then, const std::stop_token& stop) {
  std::mutex lock;
  std::condition_variable_any changed;
  std::unique_lock hold{lock};
  changed.wait_until(hold, stop, then, [] { return false; });
  return stop.stop_requested();
}

/// A transactional client waits for as long as there is hope. Whoever asked for a replay does not.
class watchdog {
public:
  watchdog(kafka::transactions& over, std::stop_token asked)
      : over_{over}, asked_{std::move(asked)}, thread_{[this](const std::stop_token& end) { run(end); }} {}
  void heard() { last_ = clock::now(); }
  [[nodiscard]] bool bit() const { return bit_; }

private:
  void run(const std::stop_token& end) {
    while (!wait_until(clock::now() + milliseconds{200}, end)) {
      const auto limit = asked_.stop_requested() ? last_patience : patience;
      if (clock::now() - last_.load() < limit) continue;
      bit_ = true;
      return over_.stop();
    }
  }
  kafka::transactions& over_;
  std::stop_token asked_;
  std::atomic<clock::time_point> last_{clock::now()};
  std::atomic<bool> bit_{false};
  std::jthread thread_; ///< last: it uses the others
};

result<route> way_of(const routes& ways, const order& what, const record& letter) {
  if (what.what == action::discarded) return route{};
  auto way = ways.of(letter, !what.to_source);
  if (way && !what.force && flow::replay_count(letter.headers) >= most_replays)
    return refuse("replayed " + std::to_string(most_replays) + " times already; --force takes them too");
  return way;
}

std::string target_of(const order& what, const route& way) {
  if (what.what == action::discarded) return {};
  return what.to_source ? way.source : way.replay_topic();
}

/// One order being carried out.
class work {
public:
  work(archive& in, const routes& ways, const plan& what, const pace& how, std::stop_token stop,
       progress& so_far, kafka::transactions& out)
      : in_{in}, ways_{ways}, plan_{what}, how_{how}, stop_{std::move(stop)}, so_far_{so_far}, out_{out},
        watch_{out, stop_} {}

  /// Takes the topic over from whoever is at work on it; only then it is certain what is done.
  result<void> begin() {
    out_.prepare();
    if (watch_.bit()) {
      fail({});
      return *failure_;
    }
    watch_.heard();
    return read_marks();
  }

  /// False where no more can be done.
  bool take(const record& letter) {
    if (stop_.stop_requested()) return false;
    if (marks_.of(letter)) return true; // meanwhile, by somebody else
    auto events = events_of(letter);
    if (!events) {
      if (events.failure().code != errc::refused) return fail(events.failure());
      leave_out(events.failure().detail);
      return true;
    }
    for (const auto& e : *events)
      bytes_ += (e.value ? e.value->size() : 0) + (e.key ? e.key->size() : 0);
    letters_.push_back(letter);
    letters_.back().value.reset(); // its place and headers are enough by now
    batch_.push_back(std::make_shared<const std::vector<outgoing>>(std::move(*events)));
    if (batch_.size() < most_at_once() && bytes_ < most_bytes) return true;
    return commit() && keep_pace();
  }

  result<void> end() {
    if (!failure_) commit();
    if (failure_) return *failure_;
    return {};
  }

private:
  [[nodiscard]] std::size_t most_at_once() const {
    if (how_.rate <= 0) return most_in_one;
    // Twice a second or so: a rate is not a burst a second.
    return static_cast<std::size_t>(std::clamp(how_.rate / 2, 1.0, double{most_in_one}));
  }

  bool fail(error why) {
    if (watch_.bit())
      why = {errc::unavailable,
             "Kafka took nothing for " +
                 std::to_string((stop_.stop_requested() ? last_patience : patience).count() / 1000) +
                 " s: " + last_trouble_ + "; what was not marked is still open"};
    failure_ = std::move(why);
    return false;
  }

  void leave_out(const std::string& why) { ++so_far_.left_out[why]; }

  result<void> read_marks() {
    auto marks = in_.marks_of(plan_.order.topic);
    if (!marks) return marks.failure();
    marks_ = std::move(*marks);
    return {};
  }

  /// The event and its mark, or the mark alone.
  result<std::vector<outgoing>> events_of(const record& letter) {
    std::vector<outgoing> events;
    const auto& what = plan_.order;
    const auto way = way_of(ways_, what, letter);
    if (!way) return way.failure();
    if (what.what == action::replayed) {
      auto whole = make_whole(letter);
      if (!whole) return whole.failure();
      const auto target = target_of(what, *way);
      auto event = flow::make_replay(*whole, target);
      event.partition = partition_for(*whole, target, what.to_source, partitions_of(target));
      events.push_back(std::move(event));
    }
    events.push_back(make_mark(letter, what.what, how_.by, wall_ms()));
    return events;
  }

  std::int32_t partitions_of(const std::string& topic) {
    const auto known = partitions_.find(topic);
    if (known != partitions_.end()) return known->second;
    const auto count = in_.partitions_of(topic);
    return partitions_[topic] = count ? *count : 0;
  }

  result<record> make_whole(const record& letter) {
    if (!is_envelope(letter)) return letter;
    const auto stands_for = read_envelope(letter);
    if (!stands_for) return refuse("an envelope that does not say where its payload is");
    // Reading it would end the reading of the letters.
    if (stands_for->from.where.topic == *letter.topic) return refuse("an envelope that names its own topic");
    const auto original = in_.event_at(stands_for->from.where, stands_for->from.offset);
    if (!original) return original.failure();
    if (!*original)
      return refuse("an envelope whose payload is gone: " + stands_for->from.where.topic +
                    " does not hold that offset any more");
    if (flow::sha256_hex((*original)->value.value_or("")) != stands_for->sha256)
      return refuse("an envelope whose payload is gone: another event has its place in " +
                    stands_for->from.where.topic);
    return unwrap(letter, **original);
  }

  /// Until all of the batch is committed or left out.
  bool commit() {
    while (!batch_.empty()) {
      const auto outcome = out_.run({batch_, {}, {}});
      switch (outcome.what) {
      case kind::committed:
        watch_.heard();
        so_far_.done += batch_.size();
        forget_batch();
        break;
      case kind::refused:
        drop_refused(outcome);
        break;
      case kind::aborted:
      case kind::unknown:
        if (!after_trouble(outcome)) return false;
      }
    }
    if (how_.report) how_.report(so_far_);
    return true;
  }

  void forget_batch() {
    batch_.clear();
    letters_.clear();
    bytes_ = 0;
  }

  template <class Goes>
  void drop(Goes&& goes) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      if (goes(i)) continue;
      std::swap(batch_[kept], batch_[i]);
      std::swap(letters_[kept++], letters_[i]);
    }
    batch_.resize(kept);
    letters_.resize(kept);
  }

  void drop_refused(const kafka::transaction_outcome& outcome) {
    drop([&](std::size_t i) {
      const auto why = std::find_if(outcome.refused.begin(), outcome.refused.end(),
                                    [&](const auto& r) { return r.input == i; });
      if (why == outcome.refused.end()) return false;
      leave_out(why->why.detail + (why->why.code == errc::too_large ? "; raise max.message.bytes of the topic"
                                                                    : std::string{}));
      return true;
    });
  }

  bool after_trouble(const kafka::transaction_outcome& outcome) {
    last_trouble_ = outcome.why.detail;
    if (outcome.why.code == errc::conflict)
      return fail({errc::conflict, "another replay or discard of " + plan_.order.topic + " took over"});
    if (watch_.bit()) return fail(outcome.why);
    if (how_.trouble) how_.trouble(outcome.why.detail + "; trying again");
    if (outcome.what == kind::unknown) {
      // The client that comes after it has settled the matter: it is marked, or it was not written.
      if (auto read = read_marks(); !read) return fail(read.failure());
      drop([&](std::size_t i) {
        const bool done = marks_.of(letters_[i]).has_value();
        so_far_.done += done ? 1 : 0;
        return done;
      });
    }
    wait_until(clock::now() + pause, {});
    return true;
  }

  bool keep_pace() {
    if (how_.rate <= 0) return true;
    const auto due = began_ + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(
                                  static_cast<double>(so_far_.done) / how_.rate));
    while (clock::now() < due) {
      watch_.heard();
      if (wait_until(std::min(due, clock::now() + milliseconds{500}), stop_)) return false;
      if (how_.report) how_.report(so_far_);
    }
    return true;
  }

  archive& in_;
  const routes& ways_;
  const plan& plan_;
  const pace& how_;
  std::stop_token stop_;
  progress& so_far_;
  kafka::transactions& out_;
  watchdog watch_;
  mark_book marks_;
  std::vector<std::shared_ptr<const std::vector<outgoing>>> batch_;
  std::vector<record> letters_; ///< beside `batch_`
  std::size_t bytes_ = 0;
  std::map<std::string, std::int32_t> partitions_;
  std::string last_trouble_ = "no transaction could be begun";
  std::optional<error> failure_;
  clock::time_point began_ = clock::now();
};

std::vector<kafka::offset_range> ranges_of(const plan& what) {
  std::vector<kafka::offset_range> all;
  for (const auto& [partition, offsets] : what.letters)
    all.push_back({partition, offsets.front(), offsets.back() + 1});
  return all;
}

bool is_meant(const plan& what, const record& letter) {
  const auto at = what.letters.find(letter.partition);
  return at != what.letters.end() && std::binary_search(at->second.begin(), at->second.end(), letter.offset);
}

const kafka::properties last_of_each_key{{"cleanup.policy", "compact"}};

} // namespace

std::uint64_t plan::count() const {
  std::uint64_t n = 0;
  for (const auto& [partition, offsets] : letters)
    n += offsets.size();
  return n;
}

result<plan> resolver::make_plan(archive& in, const order& what) {
  plan made;
  made.order = what;
  std::uint64_t chosen = 0;
  const auto scanned = in.scan(what.topic, what.which, [&](const record& letter, auto resolved) {
    if (resolved) return true;
    const auto way = way_of(ways_, what, letter);
    if (!way) {
      ++made.left_out[way.failure().detail];
      return true;
    }
    made.letters[letter.partition].push_back(letter.offset);
    if (letter.key && made.first_keys.size() < most_keys) made.first_keys.push_back(*letter.key);
    const auto target = target_of(what, *way);
    made.targets[target] = *way;
    ++made.counts[target];
    return ++chosen < what.most;
  });
  if (!scanned) return scanned.failure();
  return made;
}

result<void> resolver::carry_out(archive& in, const plan& what, const pace& how, std::stop_token stop,
                                 progress& so_far) {
  so_far.total = what.count();
  so_far.left_out = what.left_out;
  if (so_far.total == 0) return {};
  auto admin = kafka::admin::open(connection_);
  if (!admin) return admin.failure();
  const auto marks = marks_topic(what.order.topic);
  if (auto made = (*admin)->create_topic(marks, 1, ask_timeout, last_of_each_key); !made) return made;
  for (const auto& [topic, way] : what.targets) {
    if (what.order.what != action::replayed || what.order.to_source) break;
    if (auto made = make_replay_topic(**admin, in, way); !made) return made;
  }

  kafka::transactions_config wanted;
  wanted.connection = connection_;
  wanted.id = what.order.topic + ".resolver";
  wanted.yields = true;
  if (how.trouble) wanted.trouble = [say = how.trouble](const error& e, bool) { say(e.detail); };
  auto out = kafka::transactions::open(std::move(wanted));
  if (!out) return out.failure();
  work now{in, ways_, what, how, std::move(stop), so_far, **out};
  if (auto begun = now.begin(); !begun) return begun;
  const auto read = in.read(what.order.topic, ranges_of(what), [&](const record& letter) {
    return !is_meant(what, letter) || now.take(letter);
  });
  auto ended = now.end();
  if (!ended) return ended;
  return read;
}

} // namespace troupe::deadletters
