-- Append a batch of one shard's events, store the session, renew the lease: all or nothing.
--
-- KEYS  1 lease   2 session   3 guilds   4.. events:0 .. events:15
-- ARGV  1 fencing token   2 lease ms   3 state of the shard   4 session id, '' to renew the lease only
--       5 resume URL   6 sequence before the batch   7 sequence after it   8 life of the session key, ms
--       9 shard   10 prefix of seen keys, '' when events need not be told apart   11 their life, ms
--       12 number of arguments about guilds: pairs of id and entry, '' for one that is gone
--       then those; then per event: index in KEYS, type, sequence, guild, received at, payload, and with 10 its key
-- Returns {code, number}
--       1 done, number of entries appended     0 the lease has another holder     2 there is no lease
--       3 the stored sequence is `number`, lower than the batch continues from: something was lost in Redis
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token = redis.call('HGET', KEYS[1], 'token')
if not token then
  return {2, 0}
end
if token ~= ARGV[1] then
  return {0, 0}
end
redis.call('HSET', KEYS[1], 'until', now + ARGV[2], 'state', ARGV[3])
local sid = ARGV[4]
if sid == '' then
  return {1, 0}
end
local stored = redis.call('HMGET', KEYS[2], 'sid', 'seq')
local last = tonumber(ARGV[6])
if stored[1] == sid then
  local seq = tonumber(stored[2])
  if seq < last then
    return {3, seq}
  end
  last = seq
end
-- With the sequence, so that a resumed session, which brings no GUILD_CREATE, finds what it knew.
local guilds = tonumber(ARGV[12])
for i = 13, 12 + guilds, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[3], ARGV[i])
  else
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  end
end
local shard, seen = ARGV[9], ARGV[10]
local step = seen == '' and 6 or 7
local appended = 0
for i = 13 + guilds, #ARGV, step do
  local seq = tonumber(ARGV[i + 2])
  if seq > last then
    last = seq
    if seen == '' or redis.call('SET', seen .. ARGV[i + 6], '1', 'NX', 'PX', ARGV[11]) then
      redis.call('XADD', KEYS[tonumber(ARGV[i])], '*', 't', ARGV[i + 1], 'sh', shard, 's', ARGV[i + 2],
        'sid', sid, 'g', ARGV[i + 3], 'at', ARGV[i + 4], 'd', ARGV[i + 5])
      appended = appended + 1
    end
  end
end
local after = tonumber(ARGV[7])
if after > last then
  last = after
end
redis.call('HSET', KEYS[2], 'sid', sid, 'url', ARGV[5], 'seq', last, 'at', now)
redis.call('PEXPIRE', KEYS[2], ARGV[8])
return {1, appended}
