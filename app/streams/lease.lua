-- Renew this worker's leases on the partitions of a group and take free ones up to its fair share.
-- KEYS: 1 leases (hash partition -> "worker token expires_ms"), 2 workers (zset worker -> expires_ms)
-- ARGV: 1 worker, 2 lease ms, 3 number of partitions, 4 "1" to take part or "0" to leave,
--       5 new tokens are greater than this, 6... partitions being given up
-- Returns: quota, then partition and token of every lease held.
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local worker, ttl, partitions = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local quota = 0
if ARGV[4] == '1' then
    redis.call('ZADD', KEYS[2], now + ttl, worker)
    local names = redis.call('ZRANGE', KEYS[2], 0, -1)
    table.sort(names)
    local rank = 0
    for i, name in ipairs(names) do
        if name == worker then rank = i - 1 end
    end
    quota = math.floor(partitions / #names)
    if rank < partitions % #names then quota = quota + 1 end
else
    redis.call('ZREM', KEYS[2], worker)
end

local leaving = {}
for i = 6, #ARGV do leaving[ARGV[i]] = true end

local held, free, result = 0, {}, {tostring(quota)}
local stored = redis.call('HGETALL', KEYS[1])
local leases = {}
for i = 1, #stored, 2 do leases[stored[i]] = stored[i + 1] end

local function keep(partition, token)
    redis.call('HSET', KEYS[1], partition, worker .. ' ' .. token .. ' ' .. string.format('%.0f', now + ttl))
    result[#result + 1] = partition
    result[#result + 1] = token
end

for p = 0, partitions - 1 do
    local partition = tostring(p)
    local owner, token, expires = string.match(leases[partition] or '- 0 0', '^(%S+) (%d+) (%d+)$')
    if owner == worker then
        keep(partition, token)
        if not leaving[partition] then held = held + 1 end
    elseif tonumber(expires) <= now then
        free[#free + 1] = {partition, tonumber(token)}
    end
end

-- A token is the server's time in microseconds, so that it grows even if Redis forgot the last one.
for _, candidate in ipairs(free) do
    if held >= quota then break end
    keep(candidate[1], string.format('%.0f', math.max(micros, candidate[2] + 1, tonumber(ARGV[5]) + 1)))
    held = held + 1
end
return result
