#include "engine/deadletters/edited_copy.hpp"

#include "engine/deadletters/letter.hpp"
#include "engine/deadletters/replay_topic.hpp"
#include "engine/flow/dead_letter.hpp"
#include "engine/kafka/producer.hpp"

#include <future>

namespace troupe::deadletters {
namespace {

constexpr std::string_view edited_by = "edited-by";

result<void> publish(const kafka::connection& to, const outgoing& event) {
  kafka::producer_config wanted;
  wanted.connection = to;
  auto producer = kafka::producer::open(std::move(wanted));
  if (!producer) return producer.failure();
  auto delivered = std::make_shared<std::promise<result<kafka::delivery>>>();
  auto outcome = delivered->get_future();
  (*producer)->produce(event,
                       [delivered](result<kafka::delivery> what) { delivered->set_value(std::move(what)); });
  const auto done = outcome.get(); // reported within the producer's timeout
  if (!done) return done.failure();
  return {};
}

} // namespace

outgoing make_edited(const record& letter, std::string topic, std::string value, const std::string& by) {
  auto copy = flow::make_replay(letter, std::move(topic));
  copy.value = std::move(value);
  std::erase_if(copy.headers, [](const header& h) { return h.name == edited_by; });
  copy.headers.push_back({std::string{edited_by}, by});
  return copy;
}

result<std::string> send_edited(const kafka::connection& to, const routes& ways, archive& in,
                                const archive::found& what, std::string value, const std::string& by) {
  const auto& letter = what.letter;
  if (what.resolved)
    return error{errc::conflict, letter.id() + " was " + word_for(*what.resolved) + " already"};
  if (is_envelope(letter))
    return error{errc::refused, letter.id() + " is an envelope: its payload lies in the source and is too "
                                              "large to be edited here; replay it as it is"};
  const auto way = ways.of(letter, true);
  if (!way) return way.failure();
  auto admin = kafka::admin::open(to);
  if (!admin) return admin.failure();
  if (auto made = make_replay_topic(**admin, in, *way); !made) return made.failure();
  auto copy = make_edited(letter, way->replay_topic(), std::move(value), by);
  const auto count = in.partitions_of(copy.topic);
  copy.partition = partition_for(letter, copy.topic, false, count ? *count : 0);
  if (auto sent = publish(to, copy); !sent) return sent.failure();
  return copy.topic;
}

} // namespace troupe::deadletters
