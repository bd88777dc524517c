-- Say that an instance lives and what it has to say; read who else lives, and every lease of a set of shards.
--
-- KEYS  1 instances   2 instances:until   3 plan
-- ARGV  1 instance, '' to read only   2 what it says (JSON)   3 ms it counts as alive   4 total shards
--       5 prefix of lease keys
-- Returns {{instance, says, ...}, {owner, instance, ms left, state, token, ...} per shard, {plan field, value, ...}, now}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('HDEL', KEYS[1], gone)
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if ARGV[1] ~= '' then
  redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
local leases = {}
for shard = 0, tonumber(ARGV[4]) - 1 do
  local held = redis.call('HMGET', ARGV[5] .. shard, 'owner', 'instance', 'until', 'state', 'token')
  leases[shard + 1] = {held[1] or '', held[2] or '', (tonumber(held[3] or 0)) - now, held[4] or '', held[5] or ''}
end
return {redis.call('HGETALL', KEYS[1]), leases, redis.call('HGETALL', KEYS[3]), now}
