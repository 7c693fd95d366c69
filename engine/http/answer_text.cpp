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

std::string answer_text(const response& answer, bool head, bool keep_alive) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(answer.status));
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + ' ';
  text.append(reason.data(), reason.size()).append("\r\n");
  const auto add = [&](std::string_view name, std::string_view value) {
    text.append(name).append(": ").append(value).append("\r\n");
  };
  if (!keep_alive) add("Connection", "close");
  for (const auto& [name, value] : answer.headers)
    add(name, value);
  const bool may_have_body = answer.status != 204 && answer.status != 304;
  if (may_have_body) {
    if (!answer.content_type.empty()) add("Content-Type", answer.content_type);
    add("Content-Length", std::to_string(answer.body.size()));
  }
  text.append("\r\n");
  if (may_have_body && !head) text.append(answer.body);
  return text;
}

} // namespace troupe::http
