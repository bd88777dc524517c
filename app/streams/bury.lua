-- Delete consumers that have nothing pending and whose worker is no longer there.
-- KEYS: 1 stream, 2 workers (zset worker -> expires_ms); ARGV: 1 group, 2 this worker
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then return 0 end
local buried = 0
for _, consumer in ipairs(consumers) do
    local facts = {}
    for i = 1, #consumer, 2 do facts[consumer[i]] = consumer[i + 1] end
    local expires = tonumber(redis.call('ZSCORE', KEYS[2], facts['name']) or '0')
    if facts['pending'] == 0 and facts['name'] ~= ARGV[2] and expires <= now then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], facts['name'])
        buried = buried + 1
    end
end
return buried
