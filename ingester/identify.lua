-- Claim the slot to send IDENTIFY: one shard per bucket (shard % max_concurrency) at a time, lowest shard first,
-- and only while today's budget has more left than the reserve.
--
-- KEYS  1 slot   2 waiting   3 budget
-- ARGV  1 shard   2 ms the claim lasts at most until it is confirmed   3 ms the interest in the slot lasts
-- Returns {1, 0} claimed   {0, ms to wait}   {2, 0} budget unknown: ask Discord
--         {3, ms until the budget is renewed, remaining, reserve}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[2], 60000)
local budget = redis.call('HMGET', KEYS[3], 'remaining', 'reset_at', 'reserve')
if not budget[1] then
  return {2, 0}
end
if tonumber(budget[1]) <= tonumber(budget[3]) then
  return {3, math.max(0, tonumber(budget[2]) - now), tonumber(budget[1]), tonumber(budget[3])}
end
local taken = redis.call('PTTL', KEYS[1])
if taken > 0 then
  return {0, taken}
end
local mine = tonumber(ARGV[1])
for _, other in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if tonumber(other) < mine then
    return {0, 50}
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'remaining', -1)
return {1, 0}
