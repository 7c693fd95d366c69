#include "engine/redis/protocol.hpp"

#include <hiredis/hiredis.h>

namespace troupe::redis {

namespace {

struct reader_delete {
  void operator()(redisReader* r) const noexcept { redisReaderFree(r); }
};
struct reply_delete {
  void operator()(redisReply* r) const noexcept { freeReplyObject(r); }
};

reply copied(const redisReply& from) {
  reply to;
  switch (from.type) {
  case REDIS_REPLY_INTEGER:
    to.kind = reply::type::integer;
    to.integer = from.integer;
    break;
  case REDIS_REPLY_STRING:
  case REDIS_REPLY_STATUS:
  case REDIS_REPLY_ERROR:
    to.kind = from.type == REDIS_REPLY_ERROR ? reply::type::failure : reply::type::text;
    to.text.assign(from.str, static_cast<std::size_t>(from.len));
    break;
  case REDIS_REPLY_ARRAY:
    to.kind = reply::type::list;
    to.items.reserve(from.elements);
    for (std::size_t i = 0; i < from.elements; ++i)
      to.items.push_back(copied(*from.element[i]));
    break;
  default:
    break;
  }
  return to;
}

} // namespace

bool append(std::string& out, const command& c) {
  std::vector<const char*> words;
  std::vector<std::size_t> sizes;
  words.reserve(c.size());
  sizes.reserve(c.size());
  for (const auto& word : c) {
    words.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* made = nullptr;
  const int n = redisFormatCommandArgv(&made, static_cast<int>(c.size()), words.data(), sizes.data());
  if (n <= 0) return false;
  out.append(made, static_cast<std::size_t>(n));
  redisFreeCommand(made);
  return true;
}

struct reply_reader::impl {
  std::unique_ptr<redisReader, reader_delete> reader{redisReaderCreate()};
};

reply_reader::reply_reader() : impl_{std::make_unique<impl>()} {}
reply_reader::~reply_reader() = default;

bool reply_reader::feed(std::string_view bytes) {
  return redisReaderFeed(impl_->reader.get(), bytes.data(), bytes.size()) == REDIS_OK;
}

bool reply_reader::next(std::optional<reply>& out) {
  out.reset();
  void* got = nullptr;
  if (redisReaderGetReply(impl_->reader.get(), &got) != REDIS_OK) return false;
  if (got == nullptr) return true;
  const std::unique_ptr<redisReply, reply_delete> owned{static_cast<redisReply*>(got)};
  out = copied(*owned);
  return true;
}

std::string reply_reader::problem() const {
  return std::string{"not the protocol of Redis: "} + impl_->reader->errstr;
}

} // namespace troupe::redis
