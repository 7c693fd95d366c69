// The session's own thread: it keeps the main queue polled, and answers the group.
#include "engine/core/thread_cache.hpp"
#include "engine/kafka/consumer_session.hpp"
#include "engine/kafka/errors.hpp"

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

namespace troupe::kafka {

namespace {

constexpr milliseconds idle_poll{500};
constexpr milliseconds ask_timeout{1000};

} // namespace

void consumer_session::run() {
  keep_thread_cache(false); // of events it has only news
  for (;;) {
    run_commands();
    {
      const std::lock_guard lock{mutex_};
      if (closing_ && commands_.empty()) break;
    }
    poll(idle_poll);
  }
  finish(close_by_);
}

void consumer_session::run_commands() {
  std::deque<command> due;
  {
    const std::lock_guard lock{mutex_};
    due.swap(commands_);
  }
  for (auto& one : due)
    one();
}

void consumer_session::poll(milliseconds wait) {
  const event_ptr event{rd_kafka_queue_poll(main_.get(), static_cast<int>(wait.count()))};
  if (!event) return;
  switch (rd_kafka_event_type(event.get())) {
  case RD_KAFKA_EVENT_REBALANCE:
    return on_rebalance(event.get());
  case RD_KAFKA_EVENT_OFFSET_COMMIT:
    return on_commit(event.get());
  case RD_KAFKA_EVENT_ERROR:
    return on_error(event.get());
  case RD_KAFKA_EVENT_LOG: {
    const char* facility = "";
    const char* text = "";
    int level = 0;
    if (rd_kafka_event_log(event.get(), &facility, &text, &level) != 0) return;
    return tell([&] {
      if (events_.log) events_.log(level, facility, text);
    });
  }
  case RD_KAFKA_EVENT_FETCH:
    // Nobody will ever handle these events, and the partition's position has passed them.
    return tell_trouble(
        {errc::broken, std::to_string(rd_kafka_event_message_count(event.get())) + " events of group " +
                           config_.group +
                           " came to no partition's queue: a partition was assigned without one; "
                           "this is a bug, restart to read them"},
        true);
  default:
    return;
  }
}

void consumer_session::on_rebalance(rd_kafka_event_t* event) {
  if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
    on_assigned(rd_kafka_event_topic_partition_list(event));
  else
    on_revoked();
}

void consumer_session::on_assigned(const rd_kafka_topic_partition_list_t* partitions) {
  {
    const std::lock_guard lock{mutex_};
    if (closing_) {
      rd_kafka_assign(client_, nullptr);
      return;
    }
  }
  std::vector<topic_partition> where;
  for (int i = 0; partitions && i < partitions->cnt; ++i)
    where.push_back({partitions->elems[i].topic, partitions->elems[i].partition});
  group_share_ = {where.begin(), where.end()};

  // Answered at once, reading nothing. A member that owes this answer takes part in no rebalance, and would
  // hold up the whole group for as long as its positions cannot be had.
  const list_ptr none{rd_kafka_topic_partition_list_new(0)};
  rd_kafka_assign(client_, none.get());
  fetching_ = false;

  const auto number = ++ask_;
  if (where.empty()) {
    phase_ = phase::assigned;
    return tell([&] {
      if (events_.assigned) events_.assigned({});
    });
  }
  phase_ = phase::asking;
  ask_committed(std::move(where), number);
}

void consumer_session::ask_committed(std::vector<topic_partition> where, std::uint64_t number) {
  // On a thread of its own, since it waits for the coordinator and the main queue must be polled meanwhile.
  std::thread{[self = shared_from_this(), where = std::move(where), number] {
    bool told = false;
    while (self->ask_ == number) {
      auto answer = self->read_committed(where, ask_timeout);
      if (answer) {
        self->post([session = self.get(), number, found = std::move(*answer)]() mutable {
          if (session->ask_ != number || session->phase_ != phase::asking) return;
          session->phase_ = phase::assigned;
          session->tell([&] {
            if (session->events_.assigned) session->events_.assigned(std::move(found));
          });
        });
        return;
      }
      std::unique_lock lock{self->mutex_};
      if (self->closing_) return;
      if (!std::exchange(told, true)) {
        auto what = answer.failure();
        what.detail += "; trying again until the coordinator answers";
        self->commands_.emplace_back([session = self.get(), what] { session->tell_trouble(what, false); });
        self->nudge();
      }
      self->changed_.wait_for(lock, milliseconds{250},
                              [&] { return self->closing_ || self->ask_ != number; });
    }
  }}.detach();
}

void consumer_session::on_revoked() {
  const bool lost = rd_kafka_assignment_lost(client_) != 0;
  ++ask_; // whoever still asks for positions gives up
  bool closing = false;
  {
    const std::lock_guard lock{mutex_};
    closing = closing_;
  }
  // Nobody was told of it, or nobody is there to answer.
  if (closing || phase_ != phase::assigned || group_share_.empty()) {
    rd_kafka_assign(client_, nullptr);
    fetching_ = false;
    group_share_.clear();
    phase_ = phase::outside;
    return;
  }
  phase_ = phase::revoking;
  tell([&] {
    if (events_.revoked) events_.revoked(lost);
  });
}

void consumer_session::on_error(rd_kafka_event_t* event) {
  const auto code = rd_kafka_event_error(event);
  const char* text = rd_kafka_event_error_string(event);
  error what{classify(code), text ? text : rd_kafka_err2str(code)};
  // A pattern that matches no topic yet is no trouble; librdkafka names it with its caret.
  if (what.detail.find("not available: ^") != std::string::npos) return;
  if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
    what.detail += "; create the topic: reading begins by itself once it is there";
  else if (code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__RESOLVE ||
           code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
    what.detail += "; check kafka.brokers (" + config_.connection.brokers + "); trying again";
  const bool fatal = rd_kafka_event_error_is_fatal(event) != 0;
  std::array<char, 512> why{};
  if (fatal && rd_kafka_fatal_error(client_, why.data(), why.size()) == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
    what = {errc::conflict, "another process joined group " + config_.group + " as " + config_.static_id +
                                ", which is the static member of this one; give each process of the app its "
                                "own `instance`, or leave it out and let those of one host share `state`"};
  tell_trouble(std::move(what), fatal);
}

void consumer_session::close(milliseconds deadline, std::function<void(bool)> done) {
  const auto by = clock::now() + deadline;
  {
    const std::lock_guard lock{mutex_};
    if (!closing_) {
      closing_ = true;
      // The last quarter is for ending the client.
      close_by_ = by - deadline / 4;
      changed_.notify_all();
      nudge();
    }
  }
  if (!done) return;
  std::thread{[self = shared_from_this(), by, done = std::move(done)] {
    bool clean = false;
    {
      std::unique_lock lock{self->mutex_};
      self->changed_.wait_until(lock, by, [&] { return self->finished_; });
      clean = self->finished_ && self->clean_;
    }
    done(clean);
  }}.detach();
}

/// Waits until the queues are gone and nobody is in a call, polling on.
bool consumer_session::settle_visitors(clock::time_point deadline) {
  for (;;) {
    {
      const std::lock_guard lock{mutex_};
      if (slots_.empty() && visitors_ == 0) return true;
    }
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - clock::now());
    if (left.count() <= 0) return false;
    poll(std::min(left, idle_poll));
  }
}

void consumer_session::finish(clock::time_point deadline) {
  ++ask_;
  if (phase_ == phase::revoking) rd_kafka_assign(client_, nullptr);
  phase_ = phase::outside;
  fetching_ = false;

  const bool settled = settle_visitors(deadline);
  bool left = false;
  if (settled) {
    const kafka_error_ptr refused{rd_kafka_consumer_close_queue(client_, main_.get())};
    while (!refused && !left && clock::now() < deadline) {
      poll(milliseconds{50});
      left = rd_kafka_consumer_closed(client_) != 0;
    }
    // The answers to the last commits may lie behind the end of the group's own work.
    for (auto before = outstanding_.size(); left && before > 0; before = outstanding_.size()) {
      poll(milliseconds{0});
      if (outstanding_.size() == before) break;
    }
  }
  refuse_outstanding();
  {
    const std::lock_guard lock{mutex_};
    ended_ = true;
    if (settled) main_.reset();
  }
  // With queues still open the client is left as it is: ending it would take their ground away.
  if (settled) rd_kafka_destroy_flags(client_, left ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);

  const std::lock_guard lock{mutex_};
  if (settled) client_ = nullptr;
  finished_ = true;
  clean_ = left;
  changed_.notify_all();
}

} // namespace troupe::kafka
