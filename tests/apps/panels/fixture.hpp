#pragma once

#include "apps/dashboard/panel.hpp"
#include "engine/redis/client.hpp"
#include "tests/support/redis_server.hpp"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace troupe::dashboard {

constexpr std::int64_t noon = 1769860800000; ///< 2026-01-31T12:00:00Z

/// A Redis, an app's config, and a panel that reads both.
class PanelTest : public testing::Test {
protected:
  void run_by(const std::string& handler, std::map<std::string, std::string> settings_of = {}) {
    config::worker_actor w;
    w.handler = config::named_handler{handler};
    w.settings = std::move(settings_of);
    settings.actors.push_back({handler, w, {}, {}});
  }
  void redis(std::vector<std::string> words) {
    const auto done = client->ask(std::move(words));
    ASSERT_TRUE(done.ok()) << done.failure().detail;
  }
  nlohmann::json read(const panel& p, std::int64_t now_ms = noon) {
    EXPECT_TRUE(p.applies(settings));
    auto got = p.read(*client, settings, now_ms);
    EXPECT_TRUE(got.ok()) << (got ? "" : got.failure().detail);
    return got ? *got : nlohmann::json{};
  }
  /// Of a tile; null where it is not known.
  static nlohmann::json value_of(const nlohmann::json& panel, const std::string& label) {
    for (const auto& tile : panel["tiles"])
      if (tile["label"] == label) return tile.value("value", nlohmann::json());
    ADD_FAILURE() << "no tile " << label << " in " << panel["tiles"];
    return {};
  }
  static nlohmann::json rows_of(const nlohmann::json& panel, const std::string& title) {
    for (const auto& table : panel["tables"])
      if (table["title"] == title) return table["rows"];
    ADD_FAILURE() << "no table " << title;
    return {};
  }

  support::redis_server server;
  std::shared_ptr<redis::client> client = redis::client::open(*redis::parse_url(server.url()));
  config::settings settings = [] {
    config::settings s;
    s.app = "app";
    return s;
  }();
};

} // namespace troupe::dashboard
