#include "engine/http/answer_text.hpp"
#include "engine/http/session.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <utility>

namespace troupe::http {
namespace {

using namespace std::chrono_literals;

constexpr auto write_for = 10s; ///< a piece: who takes longer does not read
constexpr std::size_t ignored_bytes = 512;

/// The other end of an outbox. Whoever writes may outlive the server: that keeps what is left of it.
class outlet : public stream {
public:
  outlet(std::shared_ptr<void> alive, std::shared_ptr<session> of, std::shared_ptr<outbox> to,
         beast::tcp_stream::executor_type there)
      : alive_{std::move(alive)}, of_{std::move(of)}, to_{std::move(to)}, there_{std::move(there)} {}
  ~outlet() override { end(); }
  outlet(const outlet&) = delete;
  outlet& operator=(const outlet&) = delete;

  bool write(std::string_view bytes) override {
    const std::lock_guard hold{to_->lock};
    if (to_->over) return false;
    if (to_->waiting.size() + bytes.size() > to_->most) {
      to_->over = true;
      asio::post(there_, [s = of_] { s->close(); });
      return false;
    }
    to_->waiting.append(bytes);
    tell();
    return true;
  }

  void end() override {
    const std::lock_guard hold{to_->lock};
    if (!std::exchange(to_->over, true)) tell();
  }

private:
  void tell() {
    if (!std::exchange(to_->told, true)) asio::post(there_, [s = of_] { s->write_stream(); });
  }

  std::shared_ptr<void> alive_; ///< before the session, which lies in it
  std::shared_ptr<session> of_;
  std::shared_ptr<outbox> to_;
  beast::tcp_stream::executor_type there_;
};

} // namespace

/// On any thread.
std::shared_ptr<stream> session::open(response head, bool head_only, std::size_t most) {
  auto box = std::make_shared<outbox>();
  box->most = most;
  box->told = true; // until it has begun
  auto there = stream_.get_executor();
  auto made = std::make_shared<outlet>(on_.alive.lock(), shared_from_this(), box, there);
  asio::post(there, [self = shared_from_this(), head = std::move(head), head_only, box] {
    self->begin_stream(head, head_only, box);
  });
  return made;
}

void session::begin_stream(const response& head, bool head_only, std::shared_ptr<outbox> from) {
  outbox_ = std::move(from);
  stage_ = stage::streaming;
  on_.streaming.insert(this);
  buffer_.clear();
  {
    const std::lock_guard hold{outbox_->lock};
    if (head_only) outbox_->waiting.clear();
    outbox_->waiting.insert(0, stream_head_text(head));
    if (head_only || on_.now != phase::serving) outbox_->over = true;
  }
  stream_.expires_never();
  watch_reader();
  write_stream();
}

/// Its client has nothing more to say; but that it goes is noticed only by reading.
void session::watch_reader() {
  stream_.async_read_some(
      buffer_.prepare(ignored_bytes), [self = shared_from_this()](const error_code& ec, std::size_t) {
        // Two readings at a time may not be: the goodbye, which reads too, waits for this one.
        if (self->stage_ == stage::answering && (!ec || ec == asio::error::operation_aborted))
          return self->hang_up();
        if (ec) return self->close();
        self->watch_reader();
      });
}

void session::write_stream() {
  if (stage_ != stage::streaming || writing_) return;
  bool over = false;
  {
    const std::lock_guard hold{outbox_->lock};
    outbox_->told = false;
    message_ = std::exchange(outbox_->waiting, {});
    over = outbox_->over;
  }
  if (message_.empty()) {
    if (over) {
      leave_stream();
      stage_ = stage::answering;
      stream_.cancel();
    }
    return;
  }
  writing_ = true;
  stream_.expires_after(write_for); // of the writing alone: a reading is under way
  asio::async_write(stream_, asio::buffer(message_),
                    [self = shared_from_this()](const error_code& ec, std::size_t) {
                      self->writing_ = false;
                      if (ec) return self->close();
                      self->write_stream();
                    });
}

void session::end_stream() {
  {
    const std::lock_guard hold{outbox_->lock};
    outbox_->over = true;
  }
  write_stream();
}

void session::leave_stream() {
  const std::lock_guard hold{outbox_->lock};
  outbox_->over = true;
  on_.streaming.erase(this);
}

} // namespace troupe::http
