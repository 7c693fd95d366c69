#pragma once

#include "engine/core/time.hpp"

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace troupe::dashboard {

/// 256 random bits, in letters that a header and a cookie take.
std::string random_token();

/// Somebody who has logged in.
struct login {
  std::string user;
  bool operates = false;
  std::string csrf; ///< what every request that acts has to show besides the cookie
};

/// Who is logged in, by the token in their cookie. Thread-safe; the time is passed in.
class sessions {
public:
  /// The token. Where there are too many, the one unused for longest ends.
  std::string begin(std::string user, bool operates, steady_time now);
  /// nullopt for a token that is unknown, or of a session that ended.
  std::optional<login> find(const std::string& token, steady_time now);
  void end(const std::string& token);

private:
  struct session {
    login who;
    steady_time began, used;
  };
  static bool over(const session& s, steady_time now);

  std::mutex lock_;
  std::map<std::string, session> all_;
};

/// Slows down who tries passwords. After a few failures each further one doubles the wait: for an address up
/// to a quarter of an hour, for a name up to half a minute, so that a stranger cannot lock its owner out. Not
/// thread-safe; the time is passed in.
class throttle {
public:
  /// How long to wait before the next try; none: go on.
  std::optional<milliseconds> wait(const std::string& address, const std::string& name, steady_time now);
  void failed(const std::string& address, const std::string& name, steady_time now);
  void succeeded(const std::string& address, const std::string& name);

private:
  struct failures {
    unsigned count = 0;
    steady_time last, open; ///< open: from when on the next try is heard
  };
  using book = std::map<std::string, failures>;
  static void note(book& in, const std::string& who, milliseconds longest, steady_time now);
  static milliseconds left(const book& in, const std::string& who, steady_time now);

  book addresses_, names_;
};

} // namespace troupe::dashboard
