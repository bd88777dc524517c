-- Note what Discord says about the day, unless another process was faster: its note has our IDENTIFYs counted down.
--
-- KEYS  1 budget
-- ARGV  1 remaining   2 ms until the day is over   3 reserve   4 ms the note is believed
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'remaining', ARGV[1], 'reset_at', now + ARGV[2], 'reserve', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
