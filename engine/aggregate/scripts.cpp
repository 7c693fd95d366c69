#include "engine/aggregate/scripts.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace troupe::aggregate {

namespace {

std::string hex_digest(std::string_view text, const EVP_MD* kind, unsigned bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, kind, nullptr);
  std::string out;
  for (unsigned i = 0; i < std::min(size, bytes); ++i) {
    out += "0123456789abcdef"[digest[i] >> 4];
    out += "0123456789abcdef"[digest[i] & 15];
  }
  return out;
}

script named(std::string text) {
  auto sha1 = hex_digest(text, EVP_sha1(), EVP_MAX_MD_SIZE);
  return {std::move(text), std::move(sha1)};
}

// The first line of each script makes Redis refuse it for lack of memory, on a replica or with a full disk
// before it starts, instead of at its first write.

// KEYS: the positions, then T totals, then M sorted sets.
// ARGV: ledger, field, from, to, T, M; T counts; for each sorted set: expiry, N, and N times member, count.
// Positions and large values never become Lua numbers, which are exact up to 2^53 only.
constexpr const char* flush_text = R"lua(#!lua
local totals, sets = tonumber(ARGV[5]), tonumber(ARGV[6])

local held = redis.pcall('HMGET', KEYS[1], 'ledger', ARGV[2])
if held.err then return {'refused', KEYS[1] .. ': ' .. held.err} end
if not held[1] then return {'no_ledger'} end
if held[1] ~= ARGV[1] then return {'other_ledger'} end
if not held[2] then return {'no_position'} end
if held[2] ~= ARGV[3] then return {'position', held[2]} end

-- Redis does not take back what a script wrote before it failed: whatever could fail is looked at first.
for _, words in ipairs({{'INCRBY', KEYS[1], '1'}, {'ZINCRBY', KEYS[1], '1', 'm'},
                        {'EXPIREAT', KEYS[1], '1'}, {'HSET', KEYS[1], 'f', 'v'}}) do
  if not redis.acl_check_cmd(unpack(words)) then
    return {'refused', 'the user of redis.url may not run ' .. words[1]}
  end
end

local is_set = {}
for i = 1, sets do
  local key = KEYS[1 + totals + i]
  is_set[key] = true
  local size = redis.pcall('ZCARD', key)
  if type(size) == 'table' then return {'refused', key .. ': ' .. size.err} end
end

local function halves(digits)
  return tonumber(string.sub(digits, 1, -10)) or 0, tonumber(string.sub(digits, -9))
end

local function problem_of(value, count)
  local sign, digits = string.match(value, '^(%-?)([1-9]%d*)$')
  if not digits then
    return value ~= '0' and 'holds no integer' or nil
  end
  if #digits > 19 then return 'holds no integer of 64 bits' end
  local high, low = halves(digits)
  if sign == '-' then
    if high > 9223372036 or (high == 9223372036 and low > 854775808) then
      return 'holds no integer of 64 bits'
    end
    return nil
  end
  local count_high, count_low = halves(count)
  local room_high, room_low = 9223372036 - count_high, 854775807 - count_low
  if room_low < 0 then room_high, room_low = room_high - 1, room_low + 1000000000 end
  if high > room_high or (high == room_high and low > room_low) then
    return 'would exceed 64 bits'
  end
end

for i = 1, totals do
  local key = KEYS[1 + i]
  if is_set[key] then return {'refused', key .. ': is both a total and a per-minute set'} end
  local value = redis.pcall('GET', key)
  if type(value) == 'table' then return {'refused', key .. ': ' .. value.err} end
  local problem = value and problem_of(value, ARGV[6 + i])
  if problem then return {'refused', key .. ': ' .. problem} end
end

for i = 1, totals do redis.call('INCRBY', KEYS[1 + i], ARGV[6 + i]) end
local at = 6 + totals
for i = 1, sets do
  local key = KEYS[1 + totals + i]
  local expiry, members = ARGV[at + 1], tonumber(ARGV[at + 2])
  at = at + 2
  for _ = 1, members do
    redis.call('ZINCRBY', key, ARGV[at + 2], ARGV[at + 1])
    at = at + 2
  end
  redis.call('EXPIREAT', key, expiry)
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
return {'applied'}
)lua";

// ARGV: ledger, digest, then field and offset of each position.
constexpr const char* claim_text = R"lua(#!lua
if redis.call('HEXISTS', KEYS[1], 'ledger') == 0 then
  redis.call('HSET', KEYS[1], 'ledger', ARGV[1], 'digest', ARGV[2])
end
local held = {redis.call('HGET', KEYS[1], 'ledger'), redis.call('HGET', KEYS[1], 'digest')}
for i = 3, #ARGV, 2 do
  if held[1] ~= 'erasing' then redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) end
  held[#held + 1] = redis.call('HGET', KEYS[1], ARGV[i])
end
return held
)lua";

constexpr const char* adopt_text = R"lua(#!lua
local ledger = redis.call('HGET', KEYS[1], 'ledger')
if not ledger or ledger == 'erasing' then return 0 end
redis.call('HSET', KEYS[1], 'digest', ARGV[1])
return 1
)lua";

constexpr const char* begin_erase_text = R"lua(#!lua
local there = math.min(redis.call('HLEN', KEYS[1]), 1)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'ledger', 'erasing', 'digest', 'erasing')
return there
)lua";

constexpr const char* end_erase_text = R"lua(#!lua
if redis.call('HGET', KEYS[1], 'ledger') == 'erasing' then redis.call('DEL', KEYS[1]) end
return 1
)lua";

} // namespace

const script& flush_script() {
  static const script s = named(flush_text);
  return s;
}
const script& claim_script() {
  static const script s = named(claim_text);
  return s;
}
const script& adopt_script() {
  static const script s = named(adopt_text);
  return s;
}
const script& begin_erase_script() {
  static const script s = named(begin_erase_text);
  return s;
}
const script& end_erase_script() {
  static const script s = named(end_erase_text);
  return s;
}

std::string sha256_hex(std::string_view text, unsigned bytes) {
  return hex_digest(text, EVP_sha256(), bytes);
}

} // namespace troupe::aggregate
