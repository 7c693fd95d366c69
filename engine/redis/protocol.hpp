#pragma once

#include "engine/redis/client.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::redis {

/// Appends the command as Redis reads it. False where hiredis cannot format it.
bool append(std::string& out, const command& c);

/// Takes bytes as they come and gives whole replies.
class reply_reader {
public:
  reply_reader();
  ~reply_reader();
  reply_reader(const reply_reader&) = delete;
  reply_reader& operator=(const reply_reader&) = delete;

  /// False where what came is not the protocol: the connection is of no use any more.
  bool feed(std::string_view bytes);
  bool next(std::optional<reply>& out);
  [[nodiscard]] std::string problem() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::redis
