-- Trim a stream behind its slowest consumer group, and in front of it only above the hard cap.
--
-- KEYS  1 stream
-- ARGV  1 hard cap, entries
-- Returns {entries trimmed behind the groups, entries dropped unread, entries left, groups}
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {0, 0, 0, 0}
end
local function split(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local low_ms, low_seq
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
for _, fields in ipairs(groups) do
  local group = {}
  for i = 1, #fields, 2 do
    group[fields[i]] = fields[i + 1]
  end
  -- What is delivered but not acknowledged is still needed; without any, everything delivered is done.
  local pending = redis.call('XPENDING', KEYS[1], group['name'])
  local ms, seq
  if pending[1] > 0 then
    ms, seq = split(pending[2])
  else
    ms, seq = split(group['last-delivered-id'])
    seq = seq + 1
  end
  if not low_ms or ms < low_ms or (ms == low_ms and seq < low_seq) then
    low_ms, low_seq = ms, seq
  end
end
local trimmed, dropped = 0, 0
if low_ms then
  trimmed = redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f-%.0f', low_ms, low_seq))
end
local cap = tonumber(ARGV[1])
if redis.call('XLEN', KEYS[1]) > cap then
  dropped = redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', cap)
end
return {trimmed, dropped, redis.call('XLEN', KEYS[1]), #groups}
