#include "engine/flow/dead_letter.hpp"

#include "engine/core/time.hpp"
#include "engine/core/utf8.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace troupe::flow {
namespace {

// Those that describe this hop are replaced; those that describe the first hop are kept where they stand.
constexpr std::array hop_headers{std::string_view{"error"},           std::string_view{"actor"},
                                 std::string_view{"error-class"},     std::string_view{"attempts"},
                                 std::string_view{"first-failed-at"}, std::string_view{"failed-at"},
                                 std::string_view{"replay-count"},    std::string_view{"payload-envelope"}};
constexpr std::array origin_headers{
    std::string_view{"original-topic"}, std::string_view{"original-partition"},
    std::string_view{"original-offset"}, std::string_view{"original-timestamp"},
    std::string_view{"original-group"}};
/// A trace goes on through an envelope, too.
constexpr std::array trace_headers{std::string_view{"traceparent"}, std::string_view{"tracestate"}};

bool one_of(const auto& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const header* find(const std::vector<header>& headers, std::string_view name) {
  const auto at =
      std::find_if(headers.begin(), headers.end(), [&](const header& h) { return h.name == name; });
  return at == headers.end() ? nullptr : &*at;
}

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int n =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(n));
  return out;
}

/// As a JSON string; what is no UTF-8 becomes U+FFFD.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const auto length = utf8_length(text);
    const auto u = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      out += "\\ufffd";
    } else if (u == '"' || u == '\\') {
      out.append("\\").append(text.substr(0, 1));
    } else if (u < 0x20) {
      out += "\\u00";
      out += "0123456789abcdef"[u >> 4];
      out += "0123456789abcdef"[u & 15];
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return out + '"';
}

constexpr std::size_t longest_topic = 249; ///< Kafka's own limit
constexpr std::size_t longest_number = 19;

/// Coordinates that came in with a header may be anything.
bool is_whole_number(std::string_view text) {
  return !text.empty() && text.size() <= longest_number &&
         text.find_first_not_of("0123456789") == std::string_view::npos &&
         (text.size() == 1 || text[0] != '0');
}

} // namespace

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned n = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &n, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < n; ++i) {
    hex.push_back("0123456789abcdef"[digest[i] >> 4]);
    hex.push_back("0123456789abcdef"[digest[i] & 15]);
  }
  return hex;
}

bool is_dead_letter_header(std::string_view name) {
  return one_of(hop_headers, name) || one_of(origin_headers, name);
}

outgoing make_dead_letter(const record& event, std::string topic, const std::string& group,
                          const std::string& actor, const failure_record& why) {
  outgoing letter;
  letter.topic = std::move(topic);
  letter.key = event.key;
  letter.value = event.value;
  if (event.timestamp_ms >= 0) letter.timestamp_ms = event.timestamp_ms;

  // All of them, as an earlier hop of ours leaves them: a lone `original-topic` of someone else's would leave
  // the letter without its coordinates.
  const bool replayed = std::all_of(origin_headers.begin(), origin_headers.end(), [&](std::string_view name) {
    const auto* h = find(event.headers, name);
    return h && h->value;
  });
  for (const auto& h : event.headers) {
    if (one_of(hop_headers, h.name)) continue;
    // Of several with one name the first holds.
    if (one_of(origin_headers, h.name) && (!replayed || find(letter.headers, h.name))) continue;
    letter.headers.push_back(h);
  }
  const auto set = [&](std::string_view name, std::string value) {
    letter.headers.push_back({std::string{name}, std::move(value)});
  };
  set("error", why.reason);
  if (!replayed) {
    set("original-topic", *event.topic);
    set("original-partition", std::to_string(event.partition));
    set("original-offset", std::to_string(event.offset));
    set("original-timestamp", std::to_string(event.timestamp_ms));
    set("original-group", group);
  }
  set("actor", actor);
  set("error-class", why.error_class);
  set("attempts", std::to_string(why.attempts));
  set("first-failed-at", rfc3339(why.first_failed_ms));
  set("failed-at", rfc3339(why.failed_ms));
  const auto* count = find(event.headers, "replay-count");
  set("replay-count", count && count->value ? *count->value : "0");
  return letter;
}

outgoing make_envelope(const outgoing& letter, std::size_t head_bytes) {
  outgoing envelope;
  envelope.topic = letter.topic;
  envelope.timestamp_ms = letter.timestamp_ms;
  // However little of the payload fits: what finds the event again is kept.
  const auto most = std::max(head_bytes, std::size_t{512});
  if (letter.key && letter.key->size() <= most) envelope.key = letter.key;
  const auto whole = letter.value ? std::string_view{*letter.value} : std::string_view{};
  const auto origin = [&](std::string_view name) {
    const auto* h = find(letter.headers, name);
    return h && h->value ? *h->value : std::string{};
  };
  const auto number = [&](std::string_view name) {
    auto text = origin(name);
    return is_whole_number(text) ? text : std::string{"null"};
  };
  envelope.value = "{\"envelope\":1,\"topic\":" + quoted(origin("original-topic").substr(0, longest_topic)) +
                   ",\"partition\":" + number("original-partition") +
                   ",\"offset\":" + number("original-offset") + ",\"size\":" + std::to_string(whole.size()) +
                   ",\"sha256\":\"" + sha256_hex(whole) + "\",\"head_base64\":\"" +
                   base64(whole.substr(0, head_bytes)) + "\"}";
  for (const auto& h : letter.headers) {
    // A user header may be what made it too large.
    if (!is_dead_letter_header(h.name) && !one_of(trace_headers, h.name)) continue;
    envelope.headers.push_back(h);
    if (h.value && h.value->size() > most) envelope.headers.back().value->resize(most);
  }
  envelope.headers.push_back({"payload-envelope", "1"});
  return envelope;
}

unsigned replay_count(const std::vector<header>& headers) {
  const auto* h = find(headers, "replay-count");
  if (!h || !h->value || !is_whole_number(*h->value) || h->value->size() > 9) return 0;
  return static_cast<unsigned>(std::stoul(*h->value));
}

outgoing make_replay(const record& letter, std::string topic) {
  outgoing event;
  event.topic = std::move(topic);
  event.key = letter.key;
  event.value = letter.value;
  if (letter.timestamp_ms >= 0) event.timestamp_ms = letter.timestamp_ms;
  std::copy_if(letter.headers.begin(), letter.headers.end(), std::back_inserter(event.headers),
               [](const header& h) { return !one_of(hop_headers, h.name); });
  event.headers.push_back({"replay-count", std::to_string(replay_count(letter.headers) + 1)});
  return event;
}

} // namespace troupe::flow
