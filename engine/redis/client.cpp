#include "engine/redis/client.hpp"

#include "engine/redis/protocol.hpp"
#include "engine/redis/transport.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

namespace troupe::redis {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t queue_bound = 10'000;
/// What is written before its replies are read. More would let the work of many share one deadline.
constexpr std::size_t exchange_bytes = std::size_t{1} << 20;
constexpr milliseconds first_backoff{50};
constexpr milliseconds last_backoff{2000};

struct job {
  std::string text; ///< the commands, as they are written
  std::size_t replies = 0;
  client::callback done;
  std::optional<error> refused;
};

error with_code(errc code, const error& e) {
  return {code, e.detail};
}

/// The connection and all that only the client's thread touches.
class connection {
public:
  connection(address to, milliseconds timeout, std::atomic<bool>& up, const std::atomic<bool>& stopping)
      : to_{std::move(to)}, timeout_{timeout}, up_{up}, stopping_{stopping} {}

  /// Takes as many of the jobs as fit one exchange, or all of them where the server is away.
  void serve(std::deque<job>& jobs) {
    if (stream_ && stream_->stale()) drop();
    if (const auto problem = connected()) {
      for (auto& j : jobs)
        j.done(j.refused ? *j.refused : with_code(errc::unavailable, *problem));
      jobs.clear();
      return;
    }
    if (stopping_) return; // connecting took its time, and another exchange would take as much again
    std::deque<job> now;
    std::vector<std::size_t> ends;
    out_.clear();
    while (!jobs.empty() && out_.size() < exchange_bytes) {
      auto next = std::move(jobs.front());
      jobs.pop_front();
      if (next.refused) {
        next.done(*next.refused);
      } else if (next.replies == 0) {
        next.done(client::replies{});
      } else {
        if (out_.empty() && next.text.size() > out_.capacity())
          out_.swap(next.text);
        else
          out_.append(next.text);
        std::string{}.swap(next.text);
        now.push_back(std::move(next));
        ends.push_back(out_.size());
      }
    }
    if (now.empty()) return;
    const auto problem = exchange(now, ends, steady_clock::now() + timeout_);
    if (!problem) {
      backoff_ = first_backoff;
      if (out_.capacity() > 4 * exchange_bytes) std::string{}.swap(out_);
      return;
    }
    // What is still queued was not written, and would meet a server that is away.
    for (auto& j : jobs)
      j.done(j.refused ? *j.refused : with_code(errc::unavailable, *problem));
    jobs.clear();
  }

private:
  void drop() {
    stream_.reset();
    reader_.reset();
    greeted_ = false;
  }

  error away(const error& e) {
    drop();
    up_ = false;
    last_problem_ = e;
    retry_at_ = steady_clock::now() + backoff_;
    backoff_ = std::min(backoff_ * 2, last_backoff);
    return e;
  }

  std::optional<error> connected() {
    if (stream_) return std::nullopt;
    if (steady_clock::now() < retry_at_) return last_problem_;
    const auto deadline = steady_clock::now() + timeout_;
    auto made = transport::connect(to_, deadline);
    if (!made) return away(made.failure());
    stream_ = std::move(*made);
    reader_.emplace();
    return greet(deadline);
  }

  /// What a server has against us (a password, LOADING, too many clients) is known before work is written.
  std::optional<error> greet(steady_time deadline) {
    std::optional<error> refusal;
    std::vector<command> commands;
    if (!to_.user.empty())
      commands.push_back({"AUTH", to_.user, to_.password});
    else if (!to_.password.empty())
      commands.push_back({"AUTH", to_.password});
    if (to_.database != 0) commands.push_back({"SELECT", std::to_string(to_.database)});
    commands.push_back({"PING"});
    std::deque<job> hello(1);
    hello.front().replies = commands.size();
    hello.front().done = [&](const result<client::replies>& answer) {
      for (std::size_t i = 0; answer && i < answer->size() && !refusal; ++i)
        refusal = refused(commands[i].front(), (*answer)[i]);
    };
    out_.clear();
    for (const auto& c : commands)
      (void)append(out_, c);
    if (auto problem = exchange(hello, {out_.size()}, deadline)) return problem;
    if (refusal) return away(*refusal);
    if (!stream_) return away({errc::unavailable, to_.shown() + ": it sent more than it was asked for"});
    greeted_ = true;
    return std::nullopt;
  }

  std::optional<error> refused(const std::string& name, const reply& answer) const {
    if (answer.kind != reply::type::failure) return std::nullopt;
    std::string hint;
    if (name == "AUTH") hint = " (check the user and the password in redis.url)";
    if (name == "PING") {
      if (answer.text.starts_with("NOPERM")) return std::nullopt; // it answers us, which is all we asked
      if (answer.text.starts_with("NOAUTH")) hint = " (redis.url has no password)";
    }
    return error{errc::unavailable, to_.shown() + ": " + name + ": " + answer.text + hint};
  }

  /// Writes out_ and hands the replies to the jobs, each as soon as it has all of its own. `ends` are where
  /// the commands of each job end in out_.
  std::optional<error> exchange(std::deque<job>& jobs, const std::vector<std::size_t>& ends,
                                steady_time deadline) {
    std::size_t sent = 0;
    std::size_t turn = 0; // whose replies come next
    client::replies got;
    std::optional<error> problem;
    const auto broken = [&](std::string why) {
      problem = error{errc::unavailable, to_.shown() + ": " + std::move(why)};
    };
    std::array<char, 65536> buffer;
    while (turn < jobs.size() && !problem) {
      bool to_write = false;
      while (sent < out_.size() && !problem) {
        const auto w = stream_->write(std::string_view{out_}.substr(sent));
        sent += w.bytes;
        if (w.what == transport::state::closed) broken(w.problem);
        if (w.what == transport::state::moved) continue;
        to_write = w.what == transport::state::want_write;
        break;
      }
      while (turn < jobs.size()) {
        // A server that turns us away answers and closes: what it said is read even when writing failed.
        const auto r = stream_->read(buffer.data(), buffer.size());
        if (r.what == transport::state::closed && !problem) broken(r.problem);
        to_write = to_write || r.what == transport::state::want_write;
        if (r.what != transport::state::moved) break;
        if (!take({buffer.data(), r.bytes}, jobs, turn, got)) {
          broken(reader_->problem());
          break;
        }
      }
      if (turn == jobs.size()) return out_of_step();
      if (!problem && !stream_->wait(true, to_write, deadline))
        broken("no answer within " + std::to_string(timeout_.count()) + " ms");
    }
    const auto e = away(*problem);
    for (; turn < jobs.size(); ++turn) {
      const bool begun = (turn == 0 ? 0 : ends[turn - 1]) < sent;
      jobs[turn].done(begun ? error{errc::timeout, e.detail + "; whether it took effect is not known"}
                            : with_code(errc::unavailable, e));
    }
    return e;
  }

  bool take(std::string_view bytes, std::deque<job>& jobs, std::size_t& turn, client::replies& got) {
    if (!reader_->feed(bytes)) return false;
    std::optional<reply> one;
    while (turn < jobs.size()) {
      if (!reader_->next(one)) return false;
      if (!one) return true;
      got.push_back(std::move(*one));
      if (got.size() < jobs[turn].replies) continue;
      if (greeted_) up_ = true; // before anybody hears of it
      jobs[turn++].done(std::exchange(got, {}));
    }
    return true;
  }

  /// More replies than commands would shift all those that follow.
  std::optional<error> out_of_step() {
    std::optional<reply> surplus;
    if (!reader_->next(surplus) || surplus) drop();
    return std::nullopt;
  }

  address to_;
  milliseconds timeout_;
  std::atomic<bool>& up_;
  const std::atomic<bool>& stopping_;
  std::unique_ptr<transport> stream_;
  std::optional<reply_reader> reader_;
  bool greeted_ = false;
  std::string out_;
  std::optional<error> last_problem_;
  steady_time retry_at_{};
  milliseconds backoff_ = first_backoff;
};

} // namespace

struct client::impl {
  address to;
  milliseconds timeout;
  std::atomic<bool> up{false};
  std::mutex mutex;
  std::condition_variable work;
  std::deque<job> queue;
  std::atomic<bool> stopping{false};
  std::thread thread;

  impl(address a, milliseconds t) : to{std::move(a)}, timeout{t} {}

  void put(job next) {
    bool first = false;
    {
      const std::lock_guard lock{mutex};
      if (queue.size() >= queue_bound) {
        next.text.clear();
        next.refused = error{errc::unavailable,
                             to.shown() + ": " + std::to_string(queue_bound) + " batches wait already"};
      }
      first = queue.empty();
      queue.push_back(std::move(next));
    }
    if (first) work.notify_one();
  }

  void run() {
    // TLS writes without MSG_NOSIGNAL, and the process's other signals are not this thread's to take.
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP})
      sigdelset(&all, fault);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);

    connection server{to, timeout, up, stopping};
    std::deque<job> taken;
    for (;;) {
      {
        std::unique_lock lock{mutex};
        if (taken.empty()) {
          work.wait(lock, [this] { return stopping || !queue.empty(); });
          taken.swap(queue);
        }
        if (stopping) {
          std::move(queue.begin(), queue.end(), std::back_inserter(taken));
          queue.clear();
          break;
        }
      }
      server.serve(taken);
    }
    for (auto& j : taken)
      j.done(error{errc::unavailable, to.shown() + ": the client was closed"});
  }
};

std::shared_ptr<client> client::open(address to, milliseconds timeout) {
  auto shared = std::make_shared<impl>(std::move(to), timeout);
  std::shared_ptr<client> made{new client{shared}};
  shared->thread = std::thread{[shared] { shared->run(); }};
  return made;
}

client::client(std::shared_ptr<impl> shared) : impl_{std::move(shared)} {}

client::~client() {
  {
    const std::lock_guard lock{impl_->mutex};
    impl_->stopping = true;
  }
  impl_->work.notify_one();
  if (!impl_->thread.joinable()) return;
  // A callback may hold the last reference: its thread cannot wait for itself, and ends by itself.
  if (impl_->thread.get_id() == std::this_thread::get_id())
    impl_->thread.detach();
  else
    impl_->thread.join();
}

void client::send(const std::vector<command>& commands, callback done) {
  job next{{}, commands.size(), std::move(done), std::nullopt};
  for (const auto& c : commands) {
    if (!c.empty() && append(next.text, c)) continue;
    next.text.clear();
    next.refused = error{errc::usage, "redis: a command without words, or too large to format"};
    break;
  }
  const auto shared = impl_; // a callback may let go of this client before we are through
  shared->put(std::move(next));
}

void client::send(wire_command one, callback done) {
  job next{{}, 1, std::move(done), std::nullopt};
  if (one.whole())
    next.text = std::move(one).take();
  else
    next.refused = error{errc::usage, "redis: a command with other words than were said"};
  const auto shared = impl_;
  shared->put(std::move(next));
}

result<client::replies> client::call(const std::vector<command>& commands) {
  if (impl_->thread.get_id() == std::this_thread::get_id())
    return error{errc::usage, "redis: call() from a callback would wait for itself; use send()"};
  auto answer = std::make_shared<std::promise<result<replies>>>();
  auto future = answer->get_future();
  send(commands, [answer](result<replies> r) { answer->set_value(std::move(r)); });
  return future.get();
}

namespace {

result<reply> only(result<client::replies> got) {
  if (!got) return got.failure();
  auto& answer = got->front();
  if (answer.kind == reply::type::failure) return error{errc::refused, "Redis answered: " + answer.text};
  return std::move(answer);
}

} // namespace

void client::ask(command one, std::function<void(result<reply>)> done) {
  send(std::vector<command>{std::move(one)},
       [done = std::move(done)](result<replies> got) { done(only(std::move(got))); });
}

result<reply> client::ask(command one) {
  return only(call({std::move(one)}));
}

bool client::up() const {
  return impl_->up;
}

} // namespace troupe::redis
