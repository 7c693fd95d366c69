#pragma once

#include <cstdint>
#include <string>

/// The format of a commit's metadata written down a second time, so that texts can be made that
/// encode_metadata never makes.
namespace troupe::flow {

inline std::string varint(std::uint64_t v) {
  std::string out;
  do {
    const auto low = static_cast<char>(v % 128);
    v /= 128;
    out += static_cast<char>(low | (v > 0 ? 0x80 : 0));
  } while (v > 0);
  return out;
}

/// With the checksum of this payload.
inline std::string metadata_text(std::string payload, const std::string& version = "t1:") {
  std::uint32_t sum = 0x811C9DC5;
  for (const char c : payload) {
    sum ^= static_cast<std::uint8_t>(c);
    sum *= 0x01000193;
  }
  for (unsigned shift = 0; shift < 32; shift += 8)
    payload += static_cast<char>(sum >> shift & 255);
  std::string bits;
  for (const char c : payload)
    for (int i = 7; i >= 0; --i)
      bits += (static_cast<unsigned char>(c) >> i & 1) != 0 ? '1' : '0';
  while (bits.size() % 6 != 0)
    bits += '0';
  std::string out = version;
  for (std::size_t i = 0; i < bits.size(); i += 6)
    out += "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[std::stoul(bits.substr(i, 6),
                                                                                         nullptr, 2)];
  return out;
}

} // namespace troupe::flow
