#include "apps/dashboard/answers.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace troupe::dashboard {
namespace {

using nlohmann::json;

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

int status_of(errc code) {
  switch (code) {
  case errc::usage:
    return 400;
  case errc::unavailable:
  case errc::timeout:
    return 503;
  case errc::conflict:
    return 409;
  case errc::too_large:
    return 413;
  case errc::bad_config:
  case errc::refused:
    return 502;
  case errc::broken:
    return 500;
  }
  return 500;
}

} // namespace

std::string text_of(const json& j) {
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

http::response json_answer(const json& body, int status) {
  return {.status = status, .content_type = "application/json", .body = text_of(body)};
}

http::response problem(int status, const std::string& detail) {
  http::response r{.status = status,
                   .content_type = "application/problem+json",
                   .body = text_of({{"status", status}, {"detail", detail}})};
  if (status == 503) r.headers.emplace_back("Retry-After", "1");
  return r;
}

http::response problem(const error& what) {
  return problem(status_of(what.code), what.detail);
}

std::multimap<std::string, std::string> parameters_of(std::string_view query) {
  std::multimap<std::string, std::string> all;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto one = query.substr(0, end);
    const auto equals = one.find('=');
    if (!one.empty())
      all.emplace(decoded(one.substr(0, equals)),
                  equals == one.npos ? std::string{} : decoded(one.substr(equals + 1)));
    query = end == query.npos ? std::string_view{} : query.substr(end + 1);
  }
  return all;
}

std::optional<std::string> parameter(const http::request& asked, const std::string& name) {
  const auto all = parameters_of(asked.query);
  const auto at = all.lower_bound(name);
  return at == all.end() || at->first != name ? std::nullopt : std::optional{at->second};
}

std::string_view rest_of(const http::request& asked, std::string_view beginning) {
  return std::string_view{asked.path}.substr(std::min(beginning.size(), asked.path.size()));
}

std::optional<json> object_in(const http::request& asked) {
  auto j = json::parse(asked.body, nullptr, false);
  return j.is_object() ? std::optional{std::move(j)} : std::nullopt;
}

std::optional<std::string> text_in(const json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? std::optional{at->get<std::string>()} : std::nullopt;
}

} // namespace troupe::dashboard
