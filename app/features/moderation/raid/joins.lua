-- GCRA over a guild's joins, which remembers who belongs to the burst.
-- KEYS[1] sorted set of the burst: user -> time of joining in ms. KEYS[2] theoretical arrival time in ms.
-- ARGV: user, time of joining in ms (Discord's clock: a backlog is not a raid), ms that a join costs,
--       joins allowed at once, most joins that are counted.
-- Returns {joins not paid for by time, user, user, ...}; the users only when there are more than allowed.
local at, cost = tonumber(ARGV[2]), tonumber(ARGV[3])
local allowed, most = tonumber(ARGV[4]), tonumber(ARGV[5])
local arrival = tonumber(redis.call('GET', KEYS[2]) or '0')
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not known or tonumber(known) < at then
  if arrival <= at then
    redis.call('DEL', KEYS[1])
    arrival = at
  end
  arrival = math.min(arrival + cost, math.max(arrival, at + cost * most))
  redis.call('ZADD', KEYS[1], at, ARGV[1])
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -10001)
  local life = math.ceil(cost * most) + 600000
  redis.call('SET', KEYS[2], string.format('%.0f', arrival), 'PX', life)
  redis.call('PEXPIRE', KEYS[1], life)
end
local fill = math.ceil((arrival - at) / cost)
if fill <= allowed then
  return {fill}
end
local answer = redis.call('ZRANGE', KEYS[1], 0, -1)
table.insert(answer, 1, fill)
return answer
