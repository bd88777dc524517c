-- Give up leases that are still ours; forget the consumer in those streams if nothing is pending for it.
-- KEYS: 1 leases, then one stream per partition; ARGV: 1 worker, 2 group, then per stream its partition
for i = 2, #KEYS do
    local partition = ARGV[i + 1]
    local stored = redis.call('HGET', KEYS[1], partition)
    if stored then
        local owner, token = string.match(stored, '^(%S+) (%d+) %d+$')
        if owner == ARGV[1] then redis.call('HSET', KEYS[1], partition, '- ' .. token .. ' 0') end
    end
    local pending = redis.pcall('XPENDING', KEYS[i], ARGV[2], '-', '+', 1, ARGV[1])
    if not pending.err and #pending == 0 then redis.pcall('XGROUP', 'DELCONSUMER', KEYS[i], ARGV[2], ARGV[1]) end
end
return redis.status_reply('OK')
