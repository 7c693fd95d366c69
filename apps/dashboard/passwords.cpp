#include "apps/dashboard/passwords.hpp"

#include <array>
#include <cerrno>

#include <argon2.h>
#include <sys/random.h>

namespace troupe::dashboard {
namespace {

// The second recommended choice of RFC 9106, section 4, on one core.
constexpr unsigned passes = 3, memory_kib = 64U * 1024, lanes = 1;
constexpr std::size_t salt_bytes = 16, hash_bytes = 32;

} // namespace

result<std::string> hash_password(const std::string& password) {
  std::array<unsigned char, salt_bytes> salt{};
  if (::getrandom(salt.data(), salt.size(), 0) != static_cast<ssize_t>(salt.size()))
    return error{errc::unavailable, "the system has no random numbers just now"};
  std::string encoded(argon2_encodedlen(passes, memory_kib, lanes, salt_bytes, hash_bytes, Argon2_id), '\0');
  const int failed =
      argon2id_hash_encoded(passes, memory_kib, lanes, password.data(), password.size(), salt.data(),
                            salt.size(), hash_bytes, encoded.data(), encoded.size());
  if (failed != ARGON2_OK) return error{errc::unavailable, argon2_error_message(failed)};
  encoded.resize(encoded.find('\0'));
  return encoded;
}

bool is_password(const std::string& password, const std::string& encoded) {
  return argon2id_verify(encoded.c_str(), password.data(), password.size()) == ARGON2_OK;
}

} // namespace troupe::dashboard
