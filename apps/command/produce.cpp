#include "apps/command/produce.hpp"

#include "apps/command/exit_code.hpp"
#include "engine/json/extractor.hpp"
#include "engine/kafka/producer.hpp"

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <optional>
#include <span>

namespace troupe {
namespace {

constexpr std::size_t most_unacknowledged = 10'000;
constexpr milliseconds patience{30'000};

int complain(int code, const std::string& what) {
  std::fprintf(stderr, "troupe produce: %s\n", what.c_str());
  return code;
}

/// What the broker still owes, and what it has said.
struct ledger {
  std::mutex lock;
  std::condition_variable changed;
  std::size_t open = 0;
  std::uint64_t acknowledged = 0;
  std::optional<error> failure;

  void take(result<kafka::delivery> r) {
    const std::lock_guard hold{lock};
    --open;
    if (r)
      ++acknowledged;
    else if (!failure)
      failure = r.failure();
    changed.notify_one();
  }
  /// False once something failed.
  bool make_room(std::size_t most) {
    std::unique_lock hold{lock};
    changed.wait(hold, [&] { return open < most || failure; });
    return !failure;
  }
};

/// A line as an event, or why it is none.
class line_reader {
public:
  line_reader(const produce_arguments& from, std::optional<json::pointer> key)
      : topic_{from.topic}, separator_{from.separator} {
    if (key) key_.emplace(std::span{&*key, 1});
  }

  result<outgoing> read(std::string line) {
    outgoing event;
    event.topic = topic_;
    if (!separator_.empty()) {
      const auto at = line.find(separator_);
      if (at == std::string::npos)
        return error{errc::usage, "there is no \"" + separator_ + "\" between key and value"};
      event.key = line.substr(0, at);
      line.erase(0, at + separator_.size());
    } else if (key_) {
      if (!key_->read(line)) return error{errc::usage, "no JSON: " + std::string{key_->problem()}};
      if (!(*key_)[0].has_text()) return error{errc::usage, "the key is missing"};
      event.key = (*key_)[0].text;
    }
    event.value = std::move(line);
    return event;
  }

private:
  std::string topic_, separator_;
  std::optional<json::extractor> key_;
};

} // namespace

int produce(const produce_arguments& from) {
  if (!from.separator.empty() && !from.key_at.empty())
    return complain(exit_code::usage, "keys come by --key-separator or by --key-at, not by both");
  std::optional<json::pointer> key;
  if (!from.key_at.empty()) {
    const auto parsed = json::pointer::parse(from.key_at);
    if (!parsed) return complain(exit_code::usage, "--key-at: " + parsed.failure().detail);
    key = *parsed;
  }
  kafka::producer_config wanted;
  wanted.connection.brokers = from.brokers;
  wanted.timeout = patience;
  for (const auto& property : from.properties) {
    const auto equals = property.find('=');
    if (equals == std::string::npos || equals == 0)
      return complain(exit_code::usage, "--property " + property + ": write NAME=VALUE");
    wanted.connection.common[property.substr(0, equals)] = property.substr(equals + 1);
  }
  auto out = kafka::producer::open(std::move(wanted));
  if (!out) return complain(exit_code::of(out.failure()), out.failure().detail);

  ledger books;
  line_reader lines{from, key};
  std::uint64_t number = 0;
  std::optional<std::string> wrong;
  for (std::string line; !wrong && books.make_room(most_unacknowledged) && std::getline(std::cin, line);) {
    ++number;
    auto event = lines.read(std::move(line));
    if (!event) {
      wrong = "line " + std::to_string(number) + ": " + event.failure().detail;
      break;
    }
    {
      const std::lock_guard hold{books.lock};
      ++books.open;
    }
    (*out)->produce(*event, [&books](result<kafka::delivery> r) { books.take(std::move(r)); });
    line.clear();
  }
  (*out)->flush(patience + milliseconds{1000});
  {
    // Each report has come by then: librdkafka gives up on an event at `patience`.
    std::unique_lock hold{books.lock};
    books.changed.wait(hold, [&] { return books.open == 0; });
  }
  std::fprintf(stderr, "%llu event%s acknowledged\n", static_cast<unsigned long long>(books.acknowledged),
               books.acknowledged == 1 ? "" : "s");
  if (books.failure) return complain(exit_code::of(*books.failure), books.failure->detail);
  if (wrong) return complain(exit_code::check_failed, *wrong);
  return exit_code::done;
}

} // namespace troupe
