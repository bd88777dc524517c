-- End an entry that did not simply succeed: what failed is tried again or becomes a dead letter, then the entry is
-- acknowledged, all or nothing.
-- KEYS: 1 stream, 2 delayed (hash), 3 due times (zset), 4 dead letters (stream)
-- ARGV: 1 group, 2 entry id to acknowledge or '', 3 delayed field that ends or '', 4 dead letters kept,
--       5 number of retries, each: field, record, wait in ms; then number of dead letters, each: n, n fields and values
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[3] ~= '' then
    redis.call('HDEL', KEYS[2], ARGV[3])
    redis.call('ZREM', KEYS[3], ARGV[3])
end
local at = 5
local retries = tonumber(ARGV[at])
for _ = 1, retries do
    redis.call('HSET', KEYS[2], ARGV[at + 1], ARGV[at + 2])
    redis.call('ZADD', KEYS[3], now + tonumber(ARGV[at + 3]), ARGV[at + 1])
    at = at + 3
end
at = at + 1
local letters = tonumber(ARGV[at])
for _ = 1, letters do
    local count = tonumber(ARGV[at + 1])
    local fields = {}
    for j = 1, count do fields[j] = ARGV[at + 1 + j] end
    redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[4], '*', unpack(fields))
    at = at + 1 + count
end
-- A stream that is gone (Redis lost its data) has nothing to acknowledge.
if ARGV[2] ~= '' then redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[2]) end
return redis.status_reply('OK')
