#include "actors/http_call.hpp"

#include "engine/json/extractor.hpp"
#include "engine/json/split.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace troupe::actors {
namespace {

constexpr std::size_t longest_reason = 200; ///< bytes of what an answer says

const header* find_header(const record& event, std::string_view name) {
  const auto same = [&](const header& h) {
    return h.value && std::equal(h.name.begin(), h.name.end(), name.begin(), name.end(), [](char a, char b) {
             return std::tolower(static_cast<unsigned char>(a)) ==
                    std::tolower(static_cast<unsigned char>(b));
           });
  };
  const auto at = std::find_if(event.headers.begin(), event.headers.end(), same);
  return at == event.headers.end() ? nullptr : &*at;
}

/// A Kafka key or header is bytes; an HTTP header is a line of visible text.
std::string header_safe(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((u >= 0x20 && u < 0x7F && c != '%') || u >= 0x80) {
      out += c;
    } else {
      out += '%';
      out += "0123456789ABCDEF"[u >> 4];
      out += "0123456789ABCDEF"[u & 15];
    }
  }
  return out;
}

/// The first line, cut between characters.
std::string one_line(std::string_view text) {
  text = text.substr(0, text.find_first_of("\r\n"));
  auto size = std::min(text.size(), longest_reason);
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80)
    --size;
  std::string line{text.substr(0, size)};
  std::replace_if(
      line.begin(), line.end(), [](char c) { return std::iscntrl(static_cast<unsigned char>(c)) != 0; }, ' ');
  return line;
}

/// What the body says of a refusal; empty where it is a page, or nothing that people read.
std::string said_in(std::string_view body) {
  static const std::array places{*json::pointer::parse("/detail"), *json::pointer::parse("/message"),
                                 *json::pointer::parse("/error"), *json::pointer::parse("/error/message"),
                                 *json::pointer::parse("/title")};
  const auto first = body.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || body[first] == '<') return {};
  if (body[first] != '{' && body[first] != '[') return one_line(body.substr(first));
  json::extractor in{places};
  if (!in.read(body)) return {};
  for (std::size_t i = 0; i < places.size(); ++i)
    if (in[i].is_string() && !in[i].text.empty()) return one_line(in[i].text);
  return {};
}

std::string reason_of(const http::answer& a) {
  auto reason = "HTTP " + std::to_string(a.status);
  if (const auto said = said_in(a.body); !said.empty()) reason += ": " + said;
  return reason;
}

} // namespace

http::call make_http_call(const http::url& to, const call& what, milliseconds left) {
  const auto& e = *what.event;
  http::call out;
  out.to = to;
  const auto* type = find_header(e, "content-type");
  out.headers = {{"Content-Type", type ? header_safe(*type->value) : "application/json"},
                 {"Idempotency-Key", e.id()},
                 {"X-Troupe-Topic", *e.topic},
                 {"X-Troupe-Partition", std::to_string(e.partition)},
                 {"X-Troupe-Offset", std::to_string(e.offset)},
                 {"X-Troupe-Attempt", std::to_string(what.context.attempt())},
                 {"X-Troupe-Actor", what.context.actor()},
                 {"X-Troupe-Deadline", std::to_string(left.count())}};
  if (e.key) out.headers.emplace_back("X-Troupe-Key", header_safe(*e.key));
  for (const auto* name : {"traceparent", "tracestate"})
    if (const auto* h = find_header(e, name)) out.headers.emplace_back(name, header_safe(*h->value));
  out.body = e.value.value_or("");
  return out;
}

outcome judge_answer(const std::variant<http::answer, http::broken_call>& got, bool publishes) {
  if (const auto* broken = std::get_if<http::broken_call>(&got)) {
    switch (broken->kind) {
    case http::failure::no_connection:
      return outcome::unavailable(broken->detail, {}, "no_connection");
    case http::failure::reset:
      return outcome::transient(broken->detail, "reset");
    case http::failure::deadline:
      return outcome::transient(broken->detail, "deadline");
    case http::failure::cancelled:
      return outcome::transient(broken->detail, "cancelled");
    case http::failure::too_large:
      return outcome::transient(broken->detail, "answer_too_large");
    case http::failure::malformed:
      return outcome::transient(broken->detail, "malformed_answer");
    }
  }
  const auto& a = std::get<http::answer>(got);
  if (a.status >= 200 && a.status < 300) {
    auto done = outcome::success();
    const auto filled = [](char c) { return c != ' ' && c != '\t' && c != '\r' && c != '\n'; };
    if (!publishes || std::none_of(a.body.begin(), a.body.end(), filled)) return done;
    const auto events = json::split_events(a.body);
    if (!events)
      return outcome::permanent("the answer is neither a JSON object nor an array of events to publish",
                                "bad_answer");
    for (const auto& value : *events) {
      outgoing event;
      event.value = value;
      done.events.push_back(std::move(event));
    }
    return done;
  }
  const auto reason = reason_of(a);
  const auto error_class = "http_" + std::to_string(a.status);
  if (a.status == 429 || a.status == 503) return outcome::unavailable(reason, a.retry_after, error_class);
  if (a.status == 408 || a.status == 425 || a.status >= 500) {
    auto again = outcome::transient(reason, error_class);
    again.retry_after = a.retry_after;
    return again;
  }
  return outcome::permanent(reason, error_class);
}

} // namespace troupe::actors
