// Handlers for the integration tests. Each call appends two lines to the file named by TROUPE_EFFECTS, one
// when it starts and one when it ends, which is what the tests judge the engine by:
//
//   topic partition offset key attempt pid start|end outcome nanoseconds value
//
// A kill cuts a write off where a page ends, so each line begins with a line feed too: what is left of one
// does not become a part of the next. Keys and values are percent-encoded and cut at 200 bytes, a null is
// `-`. What a call does stands in the event's own JSON value:
//
//   sleep_ms: N            takes that long
//   fail: KIND             transient, permanent, unavailable, throw, throw_int; on each call, or
//     fail_times: N        on the first N attempts, or
//     fail_until_file: F   until that file exists
//   hang_until_file: F     blocks until that file exists, whatever the deadline says
//   leak_bytes: N          keeps so much memory for good
//   crash: KIND            segv, abort or overflow (of the stack): the process dies; always, or
//     crash_until_file: F    until that file exists
//   publish_bytes: N       (effect.publish) pads the published value to this size
//   publish_to: T          (effect.publish) names the topic, which the config does otherwise
//
// effect.order is of an ingest: it makes an order of the items in the body, or of none, and answers its id;
// `refuse` and `busy` in the body are what the handler finds.

#include "apps/command/command.hpp"
#include "engine/handler/handler.hpp"

#include <nlohmann/json.hpp>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using std::chrono::steady_clock;
using troupe::milliseconds;

struct instructions {
  milliseconds sleep{0};
  std::string fail;
  int fail_times = -1;
  std::string fail_until_file;
  std::string hang_until_file;
  std::string crash;
  std::string crash_until_file;
  std::size_t leak_bytes = 0;
  std::size_t publish_bytes = 0;
  std::string publish_to;
};

instructions instructions_of(const troupe::record& event) {
  instructions todo;
  if (!event.value) return todo;
  const auto json = nlohmann::json::parse(*event.value, nullptr, false);
  if (!json.is_object()) return todo;
  todo.sleep = milliseconds{json.value("sleep_ms", 0)};
  todo.fail = json.value("fail", "");
  todo.fail_times = json.value("fail_times", -1);
  todo.fail_until_file = json.value("fail_until_file", "");
  todo.hang_until_file = json.value("hang_until_file", "");
  todo.crash = json.value("crash", "");
  todo.crash_until_file = json.value("crash_until_file", "");
  todo.leak_bytes = json.value("leak_bytes", std::size_t{0});
  todo.publish_bytes = json.value("publish_bytes", std::size_t{0});
  todo.publish_to = json.value("publish_to", "");
  return todo;
}

bool exists(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0;
}

std::string encoded(const std::optional<std::string>& text) {
  if (!text) return "-";
  std::string out;
  for (const char c : text->substr(0, 200)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '%' && c != '-') {
      out += c;
    } else {
      out += '%';
      out += "0123456789ABCDEF"[byte >> 4];
      out += "0123456789ABCDEF"[byte & 15];
    }
  }
  return out;
}

// One write() to a file opened with O_APPEND: lines of several threads and processes never mix.
void note(const troupe::record& event, unsigned attempt, std::string_view phase, std::string_view outcome) {
  static const int file = [] {
    const char* path = std::getenv("TROUPE_EFFECTS");
    return path ? ::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;
  }();
  const auto now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now().time_since_epoch());
  std::string line = '\n' + *event.topic + ' ' + std::to_string(event.partition) + ' ' +
                     std::to_string(event.offset) + ' ' + encoded(event.key) + ' ' + std::to_string(attempt) +
                     ' ' + std::to_string(::getpid()) + ' ';
  line.append(phase).append(" ").append(outcome);
  line += ' ' + std::to_string(now.count()) + ' ' + encoded(event.value) + '\n';
  if (::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    std::perror("TROUPE_EFFECTS");
    std::abort();
  }
}

void take_time(milliseconds how_long) {
  if (how_long.count() > 0) ::poll(nullptr, 0, static_cast<int>(how_long.count()));
}

void hang_until(const std::string& file) {
  while (!exists(file))
    take_time(milliseconds{10});
}

/// Touched, or it would not count as resident.
void leak(std::size_t bytes) {
  static std::mutex lock;
  static std::vector<std::string> kept;
  const std::lock_guard hold{lock};
  kept.emplace_back(bytes, 'x');
}

// Not in the frame of its caller, and with something to do after the call, or there would be no stack to
// fill.
[[gnu::noinline]] std::size_t deeper(const volatile char* from) { // NOLINT(misc-no-recursion)
  volatile char frame[4096];
  frame[0] = *from;
  if (frame[0] == 0) return 0; // never
  return deeper(frame) + static_cast<std::size_t>(frame[0]);
}

void crash(const instructions& todo) {
  if (!todo.crash_until_file.empty() && exists(todo.crash_until_file)) return;
  const auto& how = todo.crash;
  if (how == "abort") std::abort();
  if (how == "overflow") {
    const volatile char start = 'x';
    if (deeper(&start) == 1) std::puts("");
  }
  if (how == "segv") {
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;
  }
}

bool fails_now(const instructions& todo, unsigned attempt) {
  if (todo.fail.empty()) return false;
  if (!todo.fail_until_file.empty()) return !exists(todo.fail_until_file);
  return todo.fail_times < 0 || attempt <= static_cast<unsigned>(todo.fail_times);
}

troupe::outcome judge(const troupe::record& event, const instructions& todo, unsigned attempt) {
  const bool fails = fails_now(todo, attempt);
  note(event, attempt, "end", fails ? todo.fail : "success");
  if (!fails) return troupe::outcome::success();
  if (todo.fail == "permanent") return troupe::outcome::permanent("told to fail for good", "told");
  if (todo.fail == "unavailable") return troupe::outcome::unavailable("told that the downstream is out");
  if (todo.fail == "throw") throw std::runtime_error("told to throw");
  if (todo.fail == "throw_int") throw 42;
  return troupe::outcome::transient("told to fail", "told");
}

troupe::outcome append(const troupe::record& event, troupe::context& context) {
  note(event, context.attempt(), "start", "-");
  const auto todo = instructions_of(event);
  take_time(todo.sleep);
  if (!todo.hang_until_file.empty()) hang_until(todo.hang_until_file);
  if (todo.leak_bytes > 0) leak(todo.leak_bytes);
  crash(todo);
  return judge(event, todo, context.attempt());
}

troupe::outcome publish(const troupe::record& event, troupe::context& context) {
  auto result = append(event, context);
  if (result.kind != troupe::verdict::success) return result;
  troupe::outgoing out;
  out.key = event.key;
  out.value = event.value.value_or("");
  const auto todo = instructions_of(event);
  out.topic = todo.publish_to;
  if (todo.publish_bytes > out.value->size()) out.value->resize(todo.publish_bytes, ' ');
  out.headers = {{"source", event.id()}, {"empty", ""}, {"null", std::nullopt}};
  result.events.push_back(std::move(out));
  return result;
}

troupe::outcome make_order(const troupe::record& request, troupe::context& context) {
  auto order = request.value ? nlohmann::json::parse(*request.value) : nlohmann::json::object();
  if (order.contains("refuse")) return troupe::outcome::permanent(order["refuse"].get<std::string>());
  if (order.contains("hang_until_file")) hang_until(order["hang_until_file"].get<std::string>());
  if (order.contains("busy")) return troupe::outcome::unavailable("busy", milliseconds{7000});
  order["order_id"] = context.setting("prefix", "o-") + *request.key;
  troupe::outgoing event;
  event.value = order.dump();
  return troupe::outcome::success({event}, nlohmann::json{{"order_id", order["order_id"]}}.dump());
}

// Runs things later, on a thread of its own.
class timer {
public:
  void at(steady_clock::time_point when, std::function<void()> what) {
    const std::lock_guard lock{mutex_};
    due_.emplace(when, std::move(what));
    changed_.notify_one();
  }

private:
  void run(const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    while (!stop.stop_requested()) {
      if (due_.empty()) {
        changed_.wait(lock, stop, [this] { return !due_.empty(); });
      } else if (const auto first = due_.begin()->first; first > steady_clock::now()) {
        changed_.wait_until(lock, stop, first, [this, first] { return due_.begin()->first < first; });
      } else {
        const auto what = std::move(due_.begin()->second);
        due_.erase(due_.begin());
        lock.unlock();
        what();
        lock.lock();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::multimap<steady_clock::time_point, std::function<void()>> due_;
  std::jthread thread_{[this](const std::stop_token& stop) { run(stop); }};
};

} // namespace

int main(int argc, char** argv) {
  timer later;
  troupe::handlers handlers;
  handlers.add("effect.append", append);
  handlers.add("effect.publish", publish);
  handlers.add("effect.order", make_order);
  handlers.add_async(
      "effect.async",
      [&later](troupe::record_ptr event, std::shared_ptr<troupe::context> context, troupe::completion done) {
        note(*event, context->attempt(), "start", "-");
        const auto todo = instructions_of(*event);
        later.at(steady_clock::now() + todo.sleep, [=] {
          crash(todo);
          done(judge(*event, todo, context->attempt()));
        });
      });
  return troupe::command(argc, argv, handlers);
}
