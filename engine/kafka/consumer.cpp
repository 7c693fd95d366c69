#include "engine/kafka/consumer.hpp"

#include "engine/kafka/consumer_session.hpp"

#include <utility>

namespace troupe::kafka {

struct message_queue::state {
  std::shared_ptr<consumer_session> session;
  std::unique_ptr<queue_slot> slot;

  state(std::shared_ptr<consumer_session> of, std::unique_ptr<queue_slot> what)
      : session{std::move(of)}, slot{std::move(what)} {}
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() { session->close_queue(std::move(slot)); }
};

message_queue::message_queue() noexcept = default;
message_queue::message_queue(message_queue&&) noexcept = default;
message_queue& message_queue::operator=(message_queue&&) noexcept = default;
message_queue::~message_queue() = default;

std::size_t message_queue::read(std::vector<message>& into, std::size_t max) {
  return state_ ? state_->session->read(*state_->slot, into, max) : 0;
}

std::size_t message_queue::read_all(const std::function<void(const message&)>& each) {
  return state_ ? state_->session->read_all(*state_->slot, each) : 0;
}

struct consumer::impl {
  std::shared_ptr<consumer_session> session;
};

consumer::consumer(std::shared_ptr<impl> made) : impl_{std::move(made)} {}

consumer::~consumer() {
  impl_->session->mute();
  impl_->session->close(milliseconds{3000}, nullptr);
}

result<std::shared_ptr<consumer>> consumer::open(consumer_config config, consumer_events events) {
  auto session = std::make_shared<consumer_session>(std::move(config), std::move(events));
  if (auto started = session->start(); !started) return started.failure();
  return std::shared_ptr<consumer>{new consumer{std::make_shared<impl>(impl{std::move(session)})}};
}

message_queue consumer::queue_of(const topic_partition& where, std::function<void()> wake) {
  message_queue made;
  if (auto slot = impl_->session->open_queue({&where, 1}, false, std::move(wake)))
    made.state_ = std::make_unique<message_queue::state>(impl_->session, std::move(slot));
  return made;
}

message_queue consumer::joint_queue(std::span<const topic_partition> where, std::function<void()> wake) {
  message_queue made;
  if (auto slot = impl_->session->open_queue(where, true, std::move(wake)))
    made.state_ = std::make_unique<message_queue::state>(impl_->session, std::move(slot));
  return made;
}

void consumer::assign(std::vector<position> positions) {
  impl_->session->assign(std::move(positions));
}
void consumer::release() {
  impl_->session->release();
}
void consumer::commit(std::vector<commit_request> requests) {
  impl_->session->commit(std::move(requests));
}

result<membership> consumer::current_membership() {
  return impl_->session->current_membership();
}

result<std::vector<committed>> consumer::read_committed(std::vector<topic_partition> where,
                                                        milliseconds timeout) {
  return impl_->session->read_committed(where, timeout);
}

result<watermarks> consumer::query_watermarks(const topic_partition& where, milliseconds timeout) {
  return impl_->session->query_watermarks(where, timeout);
}

std::optional<watermarks> consumer::cached_watermarks(const topic_partition& where) {
  return impl_->session->cached_watermarks(where);
}

void consumer::close(milliseconds deadline, std::function<void(bool clean)> done) {
  impl_->session->close(deadline, std::move(done));
}

} // namespace troupe::kafka
