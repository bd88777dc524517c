-- What is due to be tried again.
-- KEYS: per partition: due times (zset), delayed (hash). ARGV: 1 at most so many per partition
-- Returns, per partition: {how many wait in all, field, value, field, value ...}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local result = {}
for i = 1, #KEYS, 2 do
    local found = {redis.call('ZCARD', KEYS[i])}
    if found[1] > 0 then
        for _, field in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', now, 'LIMIT', 0, tonumber(ARGV[1]))) do
            local value = redis.call('HGET', KEYS[i + 1], field)
            if value then
                found[#found + 1] = field
                found[#found + 1] = value
            else
                redis.call('ZREM', KEYS[i], field)
            end
        end
    end
    result[#result + 1] = found
end
return result
