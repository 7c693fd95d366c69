#pragma once

#include "engine/core/result.hpp"

#include <string>

/// Argon2id (RFC 9106), in the encoded form $argon2id$v=19$m=…,t=…,p=…$salt$hash. Each call takes a tenth of
/// a second and 64 MiB, on purpose: never on a thread that others wait for.
namespace troupe::dashboard {

result<std::string> hash_password(const std::string& password);
bool is_password(const std::string& password, const std::string& encoded);

} // namespace troupe::dashboard
