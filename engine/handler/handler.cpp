#include "engine/handler/handler.hpp"

#include <future>

namespace troupe {

redis::client& context::redis() const {
  if (!around_->redis)
    throw misconfigured("the handler of actor '" + actor() + "' needs Redis: give the config `redis`");
  return *around_->redis;
}

result<void> publisher::publish_and_wait(outgoing event, milliseconds deadline) {
  auto answered = std::make_shared<std::promise<result<void>>>();
  auto answer = answered->get_future();
  const auto topic = event.topic;
  publish(std::move(event), deadline,
          [kept = std::move(answered)](result<void> r) { kept->set_value(std::move(r)); });
  try {
    return answer.get();
  } catch (const std::future_error&) {
    return error{errc::timeout, "the publisher stopped before it answered: whether '" + topic +
                                    "' has the event is unknown"};
  }
}

} // namespace troupe
