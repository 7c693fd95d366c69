#include "apps/dashboard/assets.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <utility>

namespace troupe::dashboard {
namespace {

constexpr std::array types{std::pair{std::string_view{".html"}, "text/html; charset=utf-8"},
                           std::pair{std::string_view{".js"}, "text/javascript; charset=utf-8"},
                           std::pair{std::string_view{".css"}, "text/css; charset=utf-8"},
                           std::pair{std::string_view{".svg"}, "image/svg+xml"},
                           std::pair{std::string_view{".json"}, "application/json"},
                           std::pair{std::string_view{".png"}, "image/png"},
                           std::pair{std::string_view{".woff2"}, "font/woff2"}};

/// Which page it is, the browser decides.
constexpr std::array<std::string_view, 4> pages{"/", "/dlq", "/audit", "/login"};
constexpr std::array<std::string_view, 3> page_folders{"/actors/", "/dlq/", "/panels/"};

std::string type_of(std::string_view name) {
  for (const auto& [end, type] : types)
    if (name.ends_with(end)) return type;
  return "application/octet-stream";
}

bool is_page(std::string_view path) {
  return std::find(pages.begin(), pages.end(), path) != pages.end() ||
         std::any_of(page_folders.begin(), page_folders.end(),
                     [&](auto folder) { return path.starts_with(folder) && path.size() > folder.size(); });
}

std::string_view name_of(std::string_view path) {
  constexpr std::string_view folder = "/assets/";
  if (is_page(path)) return "index.html";
  if (path == "/favicon.ico") return "icon.svg";
  return path.starts_with(folder) ? path.substr(folder.size()) : std::string_view{};
}

/// FNV-1a: it tells versions of a file apart, it need not resist anybody.
std::string tag_of(std::string_view bytes, bool zipped) {
  std::uint64_t sum = 0xcbf29ce484222325;
  for (const char c : bytes)
    sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "\"%016llx%s\"", static_cast<unsigned long long>(sum),
                zipped ? "z" : "");
  return text.data();
}

} // namespace

std::optional<http::response> asset_answer(const http::request& asked) {
  const auto name = name_of(asked.path);
  const auto all = assets();
  const auto at = std::find_if(all.begin(), all.end(), [&](const asset& a) { return a.name == name; });
  if (name.empty() || at == all.end()) return std::nullopt;
  const auto* takes = asked.header("Accept-Encoding");
  const bool zipped =
      takes && takes->find("gzip") != std::string::npos && at->zipped.size() < at->plain.size();
  const auto tag = tag_of(at->plain, zipped);
  http::response r{.content_type = type_of(name),
                   .body = {},
                   .headers = {{"ETag", tag}, {"Cache-Control", "no-cache"}, {"Vary", "Accept-Encoding"}}};
  if (const auto* known = asked.header("If-None-Match"); known && known->find(tag) != std::string::npos) {
    r.status = 304;
    return r;
  }
  r.body = zipped ? at->zipped : at->plain;
  if (zipped) r.headers.emplace_back("Content-Encoding", "gzip");
  return r;
}

} // namespace troupe::dashboard
