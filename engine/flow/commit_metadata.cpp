#include "engine/flow/offset_ledger.hpp"

#include <array>

namespace troupe::flow {
namespace {

constexpr std::string_view version = "t1:";
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void put_varint(std::string& out, std::uint64_t v) {
  for (; v >= 0x80; v >>= 7)
    out.push_back(static_cast<char>(v | 0x80));
  out.push_back(static_cast<char>(v));
}

std::optional<std::uint64_t> take_varint(std::string_view& in) {
  std::uint64_t v = 0;
  for (unsigned shift = 0; shift < 63 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    v |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return v;
  }
  return std::nullopt;
}

/// FNV-1a, 32 bits: notices torn and foreign text, not malice.
std::uint32_t checksum(std::string_view bytes) {
  std::uint32_t h = 2166136261U;
  for (const char c : bytes)
    h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
  return h;
}

std::string to_base64(std::string_view in) {
  std::string out;
  out.reserve((in.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : in) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (held += 8; held >= 6; held -= 6)
      out.push_back(alphabet[bits >> (held - 6) & 63]);
  }
  if (held > 0) out.push_back(alphabet[bits << (6 - held) & 63]);
  return out;
}

std::optional<std::string> from_base64(std::string_view in) {
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : in) {
    const auto at = alphabet.find(c);
    if (at == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(at);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out.push_back(static_cast<char>(bits >> held & 0xFF));
    }
  }
  return out;
}

constexpr std::size_t checksum_bytes = 4;

/// How much fits into a text of so many bytes, besides the checksum.
std::size_t payload_limit(std::size_t text_limit) {
  const auto bytes = text_limit < version.size() ? 0 : (text_limit - version.size()) / 4 * 3;
  return bytes < checksum_bytes ? 0 : bytes - checksum_bytes;
}

} // namespace

std::string encode_metadata(std::int64_t base, const std::vector<offset_run>& runs, std::size_t& taken,
                            std::size_t limit) {
  std::string payload;
  put_varint(payload, static_cast<std::uint64_t>(base));
  taken = 0;
  const auto most = payload_limit(limit);
  auto last = base;
  for (const auto& run : runs) {
    std::string pair;
    put_varint(pair, static_cast<std::uint64_t>(run.begin - last));
    put_varint(pair, static_cast<std::uint64_t>(run.end - run.begin));
    if (payload.size() + pair.size() > most) break;
    payload += pair;
    last = run.end;
    ++taken;
  }
  const auto sum = checksum(payload);
  for (unsigned i = 0; i < checksum_bytes; ++i)
    payload.push_back(static_cast<char>(sum >> (8 * i) & 0xFF));
  return std::string{version} + to_base64(payload);
}

std::vector<offset_run> decode_metadata(std::string_view metadata, std::int64_t base) {
  if (!metadata.starts_with(version)) return {};
  const auto bytes = from_base64(metadata.substr(version.size()));
  if (!bytes || bytes->size() < checksum_bytes) return {};
  std::string_view payload{*bytes};
  std::uint32_t sum = 0;
  for (unsigned i = 0; i < checksum_bytes; ++i)
    sum |=
        static_cast<std::uint32_t>(static_cast<unsigned char>(payload[payload.size() - checksum_bytes + i]))
        << (8 * i);
  payload.remove_suffix(checksum_bytes);
  if (sum != checksum(payload)) return {};
  const auto stored_base = take_varint(payload);
  if (!stored_base || *stored_base != static_cast<std::uint64_t>(base)) return {};
  constexpr std::uint64_t sane = std::uint64_t{1} << 62;
  std::vector<offset_run> runs;
  auto last = *stored_base;
  while (!payload.empty()) {
    const auto gap = take_varint(payload);
    const auto length = take_varint(payload);
    if (!gap || !length || *length == 0 || *gap > sane || *length > sane || last + *gap + *length > sane)
      return {};
    const auto begin = last + *gap;
    last = begin + *length;
    runs.push_back({static_cast<std::int64_t>(begin), static_cast<std::int64_t>(last)});
  }
  return runs;
}

} // namespace troupe::flow
