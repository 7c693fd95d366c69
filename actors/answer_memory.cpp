#include "actors/answer_memory.hpp"

#include <charconv>

namespace troupe::actors {
namespace {

std::string written(const http::response& a) {
  return std::to_string(a.status) + '\n' + a.content_type + '\n' + a.body;
}

std::optional<http::response> read(const std::string& text) {
  const auto first = text.find('\n');
  const auto second = first == std::string::npos ? first : text.find('\n', first + 1);
  if (second == std::string::npos) return std::nullopt;
  http::response a;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + first, a.status);
  if (wrong != std::errc{} || end != text.data() + first) return std::nullopt;
  a.content_type = text.substr(first + 1, second - first - 1);
  a.body = text.substr(second + 1);
  return a;
}

} // namespace

void answer_memory::forget_old(steady_time now) {
  while (!in_order_.empty()) {
    const auto oldest = by_key_.find(in_order_.front());
    if (in_order_.size() <= most && oldest->second.until > now) return;
    by_key_.erase(oldest);
    in_order_.pop_front();
  }
}

void answer_memory::find(const std::string& key, steady_time now,
                         std::function<void(result<std::optional<http::response>>)> done) {
  if (!redis_) {
    forget_old(now);
    const auto at = by_key_.find(key);
    return done(at == by_key_.end() ? std::nullopt : std::optional{at->second.answer});
  }
  redis_->send({{"GET", prefix_ + key}}, [done = std::move(done)](result<redis::client::replies> got) {
    if (!got) return done(got.failure());
    const auto& reply = got->front();
    if (reply.kind == redis::reply::type::failure) return done(error{errc::unavailable, reply.text});
    done(reply.kind == redis::reply::type::text ? read(reply.text) : std::nullopt);
  });
}

void answer_memory::keep(const std::string& key, const http::response& answer, steady_time now,
                         std::function<void()> done) {
  if (!redis_) {
    if (by_key_.insert_or_assign(key, remembered{answer, now + kept}).second) in_order_.push_back(key);
    forget_old(now);
    return done();
  }
  redis_->send({{"SET", prefix_ + key, written(answer), "PX", std::to_string(kept.count())}},
               [done = std::move(done)](const auto&) { done(); });
}

} // namespace troupe::actors
