-- Change which set of shards is in charge, if nobody was faster.
--
-- KEYS  1 plan
-- ARGV  1 step   2 our total   3 total in charge as we saw it
-- Returns 1 when done
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seen = redis.call('HMGET', KEYS[1], 'total', 'next')
if (seen[1] or '0') ~= ARGV[3] then
  return 0
end
if ARGV[1] == 'take' then
  redis.call('HDEL', KEYS[1], 'prev', 'next', 'next_at', 'switched_at')
  redis.call('HSET', KEYS[1], 'total', ARGV[2])
elseif ARGV[1] == 'announce' then
  if seen[2] then
    return 0
  end
  redis.call('HSET', KEYS[1], 'next', ARGV[2], 'next_at', now)
elseif ARGV[1] == 'switch' then
  if seen[2] ~= ARGV[2] then
    return 0
  end
  redis.call('HDEL', KEYS[1], 'next', 'next_at')
  redis.call('HSET', KEYS[1], 'total', ARGV[2], 'prev', ARGV[3], 'switched_at', now)
elseif ARGV[1] == 'forget' then
  redis.call('HDEL', KEYS[1], 'next', 'next_at')
end
return 1
