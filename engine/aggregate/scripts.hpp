#pragma once

#include <string>
#include <string_view>

namespace troupe::aggregate {

/// A Lua script of Redis and the name it has there.
struct script {
  std::string text;
  std::string sha1;
};

/// The ledger and digest of a group whose counts are being removed: nobody's, so that every flush is refused
/// and every start notices.
inline constexpr std::string_view erasing = "erasing";

const script& flush_script();
const script& claim_script();
const script& adopt_script();
const script& begin_erase_script();
const script& end_erase_script();

/// The first `bytes` bytes of the digest, as hexadecimal.
std::string sha256_hex(std::string_view text, unsigned bytes);

} // namespace troupe::aggregate
