// An event with any headers that dies, is replayed and dies again, and the envelope of its letter.
#include "engine/flow/dead_letter.hpp"
#include "tests/fuzz/strict_json.hpp"
#include "tests/fuzz/targets.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <iterator>

namespace troupe::fuzz {
namespace {

constexpr std::array ours{"error",           "original-topic",     "original-partition",
                          "original-offset", "original-timestamp", "original-group",
                          "actor",           "error-class",        "attempts",
                          "first-failed-at", "failed-at",          "replay-count"};

/// A name that dead-lettering knows, or any.
std::string name_from(cursor& in) {
  const std::size_t which = in.byte() % 16U;
  if (which < ours.size()) return ours[which];
  return which == ours.size() ? "payload-envelope" : in.text();
}

std::optional<std::string> text_or_null(cursor& in) {
  if (in.byte() % 8 == 0) return std::nullopt;
  return in.text();
}

record event_from(cursor& in) {
  record event;
  event.topic = std::make_shared<const std::string>(in.text());
  event.partition = static_cast<std::int32_t>(in.number() % 1000);
  event.offset = static_cast<std::int64_t>(in.number() >> 2);
  event.timestamp_ms = static_cast<std::int64_t>(in.number() >> 20) - 1;
  event.key = text_or_null(in);
  event.value = text_or_null(in);
  while (!in.empty() && event.headers.size() < 40) {
    header h;
    h.name = name_from(in);
    h.value = text_or_null(in);
    event.headers.push_back(std::move(h));
  }
  return event;
}

std::vector<header> users(const std::vector<header>& all) {
  std::vector<header> some;
  std::copy_if(all.begin(), all.end(), std::back_inserter(some),
               [](const header& h) { return !flow::is_dead_letter_header(h.name); });
  return some;
}

const std::string& only(const std::vector<header>& headers, std::string_view name) {
  const header* found = nullptr;
  for (const auto& h : headers) {
    if (h.name != name) continue;
    require(!found, "a header of ours is never multiplied");
    found = &h;
  }
  require(found && found->value, "each header of ours is there");
  return *found->value;
}

outgoing bury(const record& event) {
  flow::failure_record why{"it failed", "told", 3, 1'700'000'000'000, 1'700'000'001'000};
  const auto letter = flow::make_dead_letter(event, "orders.dlq", "group", "actor", why);
  require(letter.topic == "orders.dlq" && letter.key == event.key && letter.value == event.value,
          "key and value are kept");
  require(letter.timestamp_ms.value_or(-1) == event.timestamp_ms, "the timestamp is kept");
  require(users(letter.headers) == users(event.headers), "the users' headers are kept, in their order");
  for (const char* name : ours)
    only(letter.headers, name);
  require(only(letter.headers, "error") == "it failed" && only(letter.headers, "attempts") == "3",
          "of this hop");
  return letter;
}

record replayed(const outgoing& letter) {
  record event;
  event.topic = std::make_shared<const std::string>("orders.actor.replay");
  event.timestamp_ms = letter.timestamp_ms.value_or(-1);
  event.key = letter.key;
  event.value = letter.value;
  event.headers = letter.headers;
  return event;
}

std::string from_base64(const std::string& text) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned bits = 0, held = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<unsigned>(alphabet.find(c));
    if ((held += 6) >= 8) out += static_cast<char>(bits >> (held -= 8));
  }
  return out;
}

void check_envelope(const outgoing& letter, std::size_t head_bytes) {
  const auto envelope = flow::make_envelope(letter, head_bytes);
  require(is_strict_json(*envelope.value, 8), "an envelope is JSON");
  const auto body = nlohmann::json::parse(*envelope.value);
  const auto whole = letter.value.value_or("");
  require(body["size"] == whole.size(), "it says the size");
  require(from_base64(body["head_base64"]) == whole.substr(0, head_bytes), "it has the head of the payload");
  require(body["sha256"].get<std::string>().size() == 64, "and the hash");
  require(users(envelope.headers).empty(), "a user's header does not make it too large again");
  only(envelope.headers, "payload-envelope");
  for (const char* name : ours)
    only(envelope.headers, name);
  const auto most = std::max<std::size_t>(head_bytes, 512);
  std::size_t bytes = envelope.key ? envelope.key->size() : 0;
  for (const auto& h : envelope.headers)
    bytes += h.name.size() + h.value.value_or("").size();
  require(bytes <= most * 14 + 400, "what it keeps is bounded");
  require(envelope.value->size() <= head_bytes / 3 * 4 + 2000, "and so is what it says");
}

} // namespace

void dead_letter(std::string_view input) {
  cursor in{input};
  const auto head_bytes = in.number() % 70'000;
  const auto event = event_from(in);
  const auto first = bury(event);
  const auto again = bury(replayed(first));
  for (const char* name : {"original-topic", "original-partition", "original-offset", "original-timestamp",
                           "original-group", "replay-count"})
    require(only(again.headers, name) == only(first.headers, name), "what the first hop said stays");
  require(again.headers.size() == first.headers.size(), "hops add no headers");
  check_envelope(first, head_bytes);
  check_envelope(again, head_bytes);
}

} // namespace troupe::fuzz
