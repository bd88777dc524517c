-- Take the lease of a shard that nobody holds, with a new fencing token, and read the shard's stored session.
--
-- KEYS  1 lease   2 session
-- ARGV  1 owner (instance/cluster)   2 instance   3 lease ms
-- Returns {1, token, session id, resume URL, sequence, age in ms} or {0, holder, ms until it may be taken}
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local held = redis.call('HMGET', KEYS[1], 'owner', 'until', 'token', 'successor', 'reserved')
local owner, until_ms = held[1] or '', tonumber(held[2] or 0)
if owner ~= '' and owner ~= ARGV[1] and until_ms > now then
  return {0, owner, until_ms - now}
end
local successor, reserved = held[4] or '', tonumber(held[5] or 0)
if successor ~= '' and successor ~= ARGV[2] and reserved > now then
  return {0, successor, reserved - now}
end
-- Time makes a token that is new even when Redis has forgotten all earlier ones.
local token = math.max(micros, tonumber(held[3] or 0) + 1)
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'instance', ARGV[2], 'token', string.format('%.0f', token),
  'until', now + ARGV[3], 'state', 'starting', 'successor', '', 'reserved', 0)
local stored = redis.call('HMGET', KEYS[2], 'sid', 'url', 'seq', 'at')
if not stored[1] then
  return {1, string.format('%.0f', token)}
end
return {1, string.format('%.0f', token), stored[1], stored[2], tonumber(stored[3]), now - tonumber(stored[4])}
