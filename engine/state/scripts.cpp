#include "engine/state/scripts.hpp"

namespace troupe::state {

const char* const add_once_script = R"(
local life, last = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^(.*):(%d+)$')
if life == ARGV[2] and tonumber(last) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
local at = 5
for i = 2, #KEYS do
  local ttl, n = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  at = at + 2
  for _ = 1, n do
    redis.call('HINCRBY', KEYS[i], ARGV[at], ARGV[at + 1])
    at = at + 2
  end
  if ttl > 0 and n > 0 then redis.call('EXPIRE', KEYS[i], ttl) end
end
return 1
)";

const char* const give_order_script = R"(
local old = redis.call('HGET', KEYS[1], ARGV[1])
local d = {}
if old then d = cjson.decode(old) end
local new = ''
if ARGV[2] == 'reset' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  if ARGV[2] == 'pause' then d.paused = true end
  if ARGV[2] == 'resume' then d.paused = false end
  if ARGV[2] == 'resize' then d.workers = tonumber(ARGV[3]) end
  d.rev = (d.rev or 0) + 1
  d.by = ARGV[4]
  d.at = tonumber(ARGV[5])
  new = cjson.encode(d)
  redis.call('HSET', KEYS[1], ARGV[1], new)
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[8], '*', 'id', ARGV[6], 'action', ARGV[2], 'actor', ARGV[1],
           'workers', ARGV[3], 'by', ARGV[4], 'at', ARGV[5], 'deadline', ARGV[7])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[9], '*', 'id', ARGV[6], 'action', ARGV[2], 'actor', ARGV[1],
           'by', ARGV[4], 'at', ARGV[5], 'before', old or '', 'after', new)
return {old or '', new}
)";

const char* const note_resolved_script = R"(
local before = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local after = math.max(0, before - tonumber(ARGV[2]))
if after > 0 then
  redis.call('HSET', KEYS[1], ARGV[1], after)
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*', 'action', ARGV[3], 'actor', ARGV[1], 'by', ARGV[4],
           'at', ARGV[5], 'before', before .. ' open', 'after', after .. ' open')
return after
)";

const char* const instances_script = R"(
local all = {}
local ids = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #ids, 2 do
  local key = KEYS[1] .. ':' .. ids[i]
  local due = redis.call('ZRANGE', key .. ':retry', 0, ARGV[1] - 1, 'WITHSCORES')
  local names = {}
  for j = 1, #due, 2 do names[#names + 1] = due[j] end
  local notes = {}
  if #names > 0 then notes = redis.call('HMGET', key .. ':retry:why', unpack(names)) end
  for j = 1, #names do notes[j] = notes[j] or '' end
  all[#all + 1] = {ids[i], ids[i + 1], redis.call('HGETALL', key), redis.call('HGETALL', key .. ':pools'), due, notes}
end
return all
)";

} // namespace troupe::state
