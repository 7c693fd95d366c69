#include "engine/http/answer_text.hpp"

#include <boost/beast/http/status.hpp>

#include <string_view>
#include <utility>

namespace troupe::http {

namespace http = boost::beast::http;

std::string shown(std::size_t bytes) {
  for (const auto& [unit, name] : {std::pair{std::size_t{1} << 20, " MiB"}, {std::size_t{1} << 10, " KiB"}})
    if (bytes >= unit && bytes % unit == 0) return std::to_string(bytes / unit) + name;
  return std::to_string(bytes) + " bytes";
}

namespace {

void add(std::string& text, std::string_view name, std::string_view value) {
  text.append(name).append(": ").append(value).append("\r\n");
}

/// The first line, and the headers that do not depend on the body.
std::string beginning(const response& answer, bool keep_alive) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(answer.status));
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + ' ';
  text.append(reason.data(), reason.size()).append("\r\n");
  if (!keep_alive) add(text, "Connection", "close");
  for (const auto& [name, value] : answer.headers)
    add(text, name, value);
  return text;
}

} // namespace

std::string stream_head_text(const response& head) {
  auto text = beginning(head, false);
  add(text, "Content-Type", head.content_type);
  return text + "\r\n";
}

std::string answer_text(const response& answer, bool head, bool keep_alive) {
  auto text = beginning(answer, keep_alive);
  const bool may_have_body = answer.status != 204 && answer.status != 304;
  if (may_have_body) {
    if (!answer.content_type.empty()) add(text, "Content-Type", answer.content_type);
    add(text, "Content-Length", std::to_string(answer.body.size()));
  }
  text.append("\r\n");
  if (may_have_body && !head) text.append(answer.body);
  return text;
}

} // namespace troupe::http
