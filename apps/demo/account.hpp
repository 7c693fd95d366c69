#pragma once

#include "apps/demo/traffic.hpp"
#include "engine/redis/client.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace demo {

/// The body of a 200; empty where nobody answers so within a second.
std::string fetch(const std::string& url, const std::string& method = "GET", std::string body = {});
/// The sum of a metric over its series; of those with `having` in their labels, where it is given.
double sum_of(std::string_view metrics, std::string_view name, std::string_view having = {});

/// What has come of the traffic, read where anybody could read it: in Redis, in the gateway's ledger, among
/// the mails.
struct shop_figures {
  std::uint64_t orders = 0, reserved = 0, charged = 0, mails = 0;
  std::int64_t revenue_cents = 0;
};
shop_figures read_shop(troupe::redis::client& redis, const std::string& gateway,
                       const std::filesystem::path& maildir);

struct web_figures {
  std::uint64_t views = 0, clicks = 0, searches = 0, sessions = 0;
  std::string top; ///< "/ 402, /products 258"
};
web_figures read_web(troupe::redis::client& redis);

struct video_figures {
  std::uint64_t uploaded = 0, transcoded = 0, ready = 0; ///< how many are in this stage now
};
video_figures read_videos(troupe::redis::client& redis);

struct device_figures {
  std::uint64_t online = 0, late = 0, silent = 0, events = 0;
};
device_figures read_devices(troupe::redis::client& redis);

} // namespace demo
