-- Claim an interaction id and charge sliding windows, all or nothing, by the server's clock.
--
-- KEYS[1]      the claim, '' in a call that only charges
-- KEYS[2..n]   windows
-- ARGV[1]      milliseconds that the claim lasts while no answer is stored, 0 in a call that only charges
-- ARGV[2]      '' (tests pass the time in microseconds)
-- ARGV[2i-1], ARGV[2i]   of window KEYS[i]: its limit, its length in microseconds
--
-- Returns
--   1                     claimed and charged
--   bulk string           claimed before: the stored answer, or '' while there is none
--   {i, wait}             window i of those given (1 is the first) is full: for so many microseconds. The claim is
--                         made all the same: a repeat gets the same refusal.
--   {0, room, reset}      a call that only charges: charged; so many more fit at once; after `reset` microseconds
--                         without a charge the window is empty
--
-- A window is a string of at most `limit` big-endian doubles: the times of the last admissions, newest first
-- (microseconds are exact in a double until the year 2255). One more fits when the limit-th newest is at least a
-- window's length old. Hence any limit + 1 admissions in a row span at least the length: no half-open interval of that
-- length holds more than the limit. Refusals leave no trace. A key lasts one second longer than it matters, as expiry
-- counts in milliseconds and from a clock that may lag behind TIME within a script.

local claiming = ARGV[1] ~= '0'
local stored = redis.call('MGET', unpack(KEYS))
if claiming and stored[1] then
  return stored[1]
end

local now
if ARGV[2] == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
else
  now = tonumber(ARGV[2])
end

if claiming then
  redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
end

local nows = {}
local full, wait = 0, 0
for i = 2, #KEYS do
  local log = stored[i]
  local length = tonumber(ARGV[2 * i])
  nows[i] = now
  if log then
    local newest = struct.unpack('>d', log)
    if newest > now + length then
      stored[i] = false -- the clock was set back by more than the window: its past is unknown
    else
      if newest > now then
        nows[i] = newest
      end
      local offset = (tonumber(ARGV[2 * i - 1]) - 1) * 8
      if #log > offset then
        local left = struct.unpack('>d', log, offset + 1) + length - nows[i]
        if left > 0 and left >= wait then
          full, wait = i - 1, left
        end
      end
    end
  end
end
if full > 0 then
  return {full, wait}
end

local room, reset = 0, 0
for i = 2, #KEYS do
  local limit, length = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local log = struct.pack('>d', nows[i])
  if stored[i] then
    log = log .. string.sub(stored[i], 1, (limit - 1) * 8)
  end
  redis.call('SET', KEYS[i], log, 'PX', math.ceil(length / 1000) + 1000)
  if not claiming then
    local used = 0
    for at = 1, #log, 8 do
      if struct.unpack('>d', log, at) > nows[i] - length then
        used = used + 1
      end
    end
    room, reset = limit - used, length
  end
end
if claiming then
  return 1
end
return {0, room, reset}
