-- Give a lease back; for `reserved` ms only the successor may take it.
--
-- KEYS  1 lease
-- ARGV  1 fencing token   2 instance of the successor or ''   3 reserved ms
-- Returns 1, or 0 when the lease was not ours any more
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'owner', '', 'until', now, 'state', 'released', 'successor', ARGV[2],
  'reserved', now + ARGV[3])
return 1
