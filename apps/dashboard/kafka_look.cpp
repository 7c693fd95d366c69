#include "apps/dashboard/kafka_look.hpp"

#include "engine/kafka/admin.hpp"

#include <utility>

namespace troupe::dashboard {
namespace {

constexpr milliseconds every{2000};
constexpr milliseconds patience{3000};

} // namespace

kafka_look::kafka_look(const present_config& config)
    : config_{config}, view_{.up = true, .trouble = {}, .at_ms = 0, .standings = {}}, thread_{every, [this] {
                                                                                                look();
                                                                                              }} {}

void kafka_look::want(std::vector<std::string> actors) {
  const std::lock_guard hold{lock_};
  wanted_ = std::move(actors);
}

kafka_view kafka_look::view() const {
  const std::lock_guard hold{lock_};
  return view_;
}

void kafka_look::look() {
  std::vector<std::string> actors;
  {
    const std::lock_guard hold{lock_};
    actors = wanted_;
  }
  auto found = ask(actors);
  const std::lock_guard hold{lock_};
  view_ = std::move(found);
}

kafka_view kafka_look::ask(const std::vector<std::string>& actors) {
  auto settings = config_.get();
  if (settings->kafka.embedded()) return {.up = true, .trouble = {}, .at_ms = wall_ms(), .standings = {}};
  if (settings != settings_ || !watch_) {
    watch_ = std::make_unique<group_watch>(*settings);
    settings_ = std::move(settings);
  }
  const auto trouble = [](const error& why) {
    return kafka_view{.up = false, .trouble = why.detail, .at_ms = wall_ms(), .standings = {}};
  };
  if (actors.empty()) {
    auto asked = kafka::admin::open(connection_of(*settings_));
    if (!asked) return trouble(asked.failure());
    const auto known = (*asked)->topics(patience);
    return known ? kafka_view{.up = true, .trouble = {}, .at_ms = wall_ms(), .standings = {}}
                 : trouble(known.failure());
  }
  auto standings = watch_->look(actors, patience);
  if (!standings) return trouble(standings.failure());
  return {.up = true, .trouble = {}, .at_ms = wall_ms(), .standings = std::move(*standings)};
}

} // namespace troupe::dashboard
