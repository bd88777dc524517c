-- Add a happening to a sliding window, once, and count the fullest recent window that it lies in.
-- KEYS[1] sorted set: member -> time in ms. ARGV: member, time, window in ms, most members kept.
-- The times are Discord's own (from message ids), so a backlog that is read late counts as it was written.
local at, window = tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZADD', KEYS[1], 'NX', at, ARGV[1])
local newest = tonumber(redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (newest - 2 * window))
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[1], 2 * window + 60000)
-- Messages are judged side by side: one that comes late still belongs to the burst that others after it have filled.
local last = redis.call('ZREVRANGEBYSCORE', KEYS[1], '(' .. (at + window), '-inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
return redis.call('ZCOUNT', KEYS[1], '(' .. (tonumber(last) - window), last)
