-- IDENTIFY was sent: the bucket's slot is free again in `ms`. With 0 it was not sent: the slot and the budget return.
--
-- KEYS  1 slot   2 budget
-- ARGV  1 shard   2 ms
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if tonumber(ARGV[2]) > 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
else
  redis.call('DEL', KEYS[1])
  if redis.call('EXISTS', KEYS[2]) == 1 then
    redis.call('HINCRBY', KEYS[2], 'remaining', 1)
  end
end
return 1
