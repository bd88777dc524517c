-- Take a slot for one call, or learn how long to wait. All times are microseconds of the server's clock.
--
-- A call passes three gates: the budget for bad answers, the queue of its bucket, and, unless its path holds a
-- token, the queue of the global limit. It enters the global queue only when its bucket would let it go, so a call
-- that waits for its bucket holds up nobody else. Queues are ordered by (priority, arrival). A refusal spends
-- nothing: slots are only taken when every gate is open.
--
-- KEYS  1 prefix of the bot's keys   2 key of the budget for bad answers of this egress address
-- ARGV  see `SharedLimiter.take`
-- Returns {verdict, wait, position, lane, epoch, processes, bad answers}; verdicts as in `Verdict`.
local prefix, bad_key = KEYS[1], KEYS[2]
local ticket, position, priority, pace = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local route, family, top = ARGV[5], ARGV[6], ARGV[7]
local counts_globally, left, global_limit = ARGV[8] == '1', tonumber(ARGV[9]), tonumber(ARGV[10])
local bad_limit, process, webhook, token = tonumber(ARGV[11]), ARGV[12], ARGV[13], ARGV[14]

local paced = pace > 0

local SECOND = 1000000
local LATE = 50000              -- a waiting call that is this late for its turn is passed over
local PROBE = 2 * SECOND        -- an answer is not waited for any longer: the process that wants it may be dead
local POLL = 25000              -- how often to ask for something that has no known time
local SOON = 1000               -- no wait is shorter
local CATCH_UP = 25             -- slots that waiting calls may make up for when they came late for their turns
local SPREAD = 20000            -- what the global window is stretched by, so that jitter on the way is no offence
local KEEP = 3600               -- seconds that an unused bucket is remembered

local time = redis.call('TIME')
local now = time[1] * SECOND + time[2]

-- Each process tells now and then that it is there.
if process ~= '' then
  redis.call('ZADD', prefix .. 'processes', now, process)
  redis.call('ZREMRANGEBYSCORE', prefix .. 'processes', '-inf', now - 60 * SECOND)
  redis.call('EXPIRE', prefix .. 'processes', 120)
end
local processes = redis.call('ZCARD', prefix .. 'processes')

local function numbers(key, ...)
  local values = redis.call('HMGET', key, ...)
  for i = 1, #values do values[i] = tonumber(values[i] or nil) end
  return values
end

-- Calls that missed their turn (a process died, a caller gave up) leave the queue; a late one comes back to the
-- same position when it asks again.
local function waiting_before(queue)
  local late = redis.call('ZRANGEBYSCORE', prefix .. 'turn:' .. queue, '-inf', now - LATE, 'LIMIT', 0, 200)
  if #late > 0 then
    redis.call('ZREM', prefix .. 'turn:' .. queue, unpack(late))
    redis.call('ZREM', prefix .. 'wait:' .. queue, unpack(late))
  end
  if position == 0 then
    return redis.call('ZCOUNT', prefix .. 'wait:' .. queue, '-inf', '(' .. priority + 1 .. 'e12')
  end
  return redis.call('ZCOUNT', prefix .. 'wait:' .. queue, '-inf', '(' .. string.format('%.0f', position))
end

local function leave(queue)
  redis.call('ZREM', prefix .. 'wait:' .. queue, ticket)
  redis.call('ZREM', prefix .. 'turn:' .. queue, ticket)
end

local function stay(queue, turn)
  redis.call('ZADD', prefix .. 'wait:' .. queue, position, ticket)
  redis.call('ZADD', prefix .. 'turn:' .. queue, turn, ticket)
  redis.call('EXPIRE', prefix .. 'wait:' .. queue, 60)
  redis.call('EXPIRE', prefix .. 'turn:' .. queue, 60)
end

-- The budget for bad answers: counts per 30 s, so the window is 600 to 630 s and never too short.
local slot, bad, oldest, blocked = math.floor(now / (30 * SECOND)), 0, nil, 0
local counts = redis.call('HGETALL', bad_key)
for i = 1, #counts, 2 do
  local at = tonumber(counts[i])
  if at and at < slot - 20 then
    redis.call('HDEL', bad_key, counts[i])
  elseif at then
    bad = bad + counts[i + 1]
    if not oldest or at < oldest then oldest = at end
  else
    blocked = tonumber(counts[i + 1])
  end
end
local function answer(verdict, wait, lane, epoch)
  return {verdict, wait, position, lane or '', epoch or 0, processes, bad}
end

if token ~= '' and redis.call('EXISTS', prefix .. 'out:' .. token) == 1 then return answer('out', 0) end
if webhook ~= '' and redis.call('EXISTS', prefix .. 'gone:' .. webhook) == 1 then return answer('gone', 0) end
local spent = math.max(blocked - now, bad >= bad_limit and (oldest + 21) * 30 * SECOND - now or 0)
if spent > 0 then
  if spent > left then return answer('bad', spent) end
  return answer('wait', spent)
end

-- The bucket. Until a route's bucket is known, or how large it is, one call at a time goes out to learn it.
local bucket = redis.call('GET', prefix .. 'route:' .. route)
local probing, lane, state_key = not bucket, nil, nil
if bucket == '-' then
  lane = nil
elseif bucket then
  lane = 'b:' .. bucket .. ':' .. top
else
  local likely = redis.call('GET', prefix .. 'family:' .. family)
  lane = likely and likely ~= '-' and 'b:' .. likely .. ':' .. top or 'r:' .. route
end

local limit, remaining, reset, window, epoch, settled, probe, shut, fresh, urgent, peak
local wait, in_bucket = 0, 0
if lane then
  state_key = prefix .. 'lane:' .. lane
  local s = numbers(state_key, 'limit', 'remaining', 'reset', 'window', 'epoch', 'settled', 'probe', 'shut',
    'urgent', 'peak')
  limit, remaining, reset, window = s[1], s[2], s[3], s[4]
  epoch, settled, probe, shut = s[5] or 0, s[6], s[7] or 0, s[8] or 0
  urgent, peak = s[9] or 0, s[10] or 0
  probing = probing or not limit
  local free, ready, steady = 1, now, nil
  if shut > now then
    free, ready = 0, shut
  elseif limit then
    -- A window is over when its reset has passed and Discord has confirmed that it had begun.
    fresh = now >= reset and (settled == 1 or now >= reset + PROBE)
    free = fresh and limit or remaining
    if free == 0 then
      ready = math.max(reset, now + (now >= reset and POLL or 0))
    elseif paced then
      local due = fresh and now or reset - window + window * ((limit - remaining) / limit) ^ pace
      steady = due
      -- The last slots are kept for urgent calls, as many as those took lately and two more (one if there were
      -- none), until a later answer might come in the next window.
      local kept = math.min(limit - 1, math.max(1, peak >= 1 and math.ceil(peak) + 2 - urgent or 1))
      if remaining <= kept and not fresh then
        local quickest = tonumber(redis.call('HGET', prefix .. 'quickest', family) or nil) or SECOND / 10
        due = math.max(due, reset - remaining * math.max(0.15 * window / limit, 3 * quickest + 2 * LATE))
      end
      if due > now then free, ready = 0, math.min(due, reset) else free = 1 end
    end
  end
  if probing and free > 0 then
    if probe > now then free, ready = 0, math.min(probe, now + POLL) else free = 1 end
  end
  in_bucket = waiting_before(lane)
  if in_bucket >= free then
    local after = in_bucket - free
    if free == 0 or probing then
      wait = (after > 0 and steady or ready) - now
    elseif paced then
      wait = steady + window / limit - now
    else
      wait = fresh and window or reset - now
    end
    if limit and not probing then
      wait = wait + (paced and after * window / limit or math.floor(after / limit) * window)
    end
    wait = math.max(wait, SOON)
  end
end

-- The global limit: calls go out one period apart. Urgent ones may go at once while less than a fifth of the
-- window is used, and in no window does anybody exceed the limit. Whoever has n calls before it takes the n-th
-- slot from now: if the first in the queue is slow to come, the second does not lose its own slot by that.
local global_key, grants_key = prefix .. 'global', prefix .. 'grants'
local next_due, period, for_bucket = 0, 0, wait > 0
if counts_globally and wait < SECOND then
  local g = numbers(global_key, 'next', 'pause', 'spread', 'spread_at')
  local spread = math.max(SPREAD, (g[3] or 0) - (now - (g[4] or 0)) / 1000)
  period = (SECOND + spread) / global_limit
  next_due = math.max(g[1] or 0, now - CATCH_UP * period)
  if position == 0 and redis.call('ZCARD', prefix .. 'wait:@') == 0 then
    -- Nobody waited: what was not used was not wanted, and there is nothing to make up for.
    next_due = math.max(next_due, now)
  end
  local stretched = SECOND + spread / 2
  local function leaves(count)
    -- When the window will hold fewer than `count` of the calls that it holds now.
    local at = redis.call('ZREVRANGE', grants_key, count - 1, count - 1, 'WITHSCORES')[2]
    return at and tonumber(at) + stretched or 0
  end
  local before = waiting_before('@')
  local turn = math.max(g[2] or 0, leaves(global_limit - before % global_limit) +
    math.floor(before / global_limit) * stretched)
  if paced or leaves(math.max(1, math.floor(global_limit / 5))) > now then
    turn = math.max(turn, next_due + before * period)
  end
  if turn > now then wait = math.max(wait, turn - now, SOON) end
end

if wait > left then
  if position ~= 0 then
    leave('@')
    if lane then leave(lane) end
  end
  return answer(for_bucket and 'late_bucket' or 'late_global', wait)
end
local asked_before = position ~= 0
if position == 0 then position = priority * 1e12 + redis.call('INCR', prefix .. 'arrivals') end
if wait > 0 then
  -- Far from the front the estimate is rough, and calls ahead may give up: ask again earlier.
  local hint = wait
  if hint > 4 * POLL then hint = math.min(hint * 0.7, 15 * SECOND) end
  if lane then stay(lane, now + hint) end
  if counts_globally then
    if not for_bucket then stay('@', now + hint) elseif asked_before then leave('@') end
  end
  return answer('wait', math.ceil(hint), lane, epoch)
end

if asked_before then
  leave('@')
  if lane then leave(lane) end
end
if lane then
  if limit and fresh then
    epoch = epoch + 1
    redis.call('HSET', state_key, 'remaining', limit - 1, 'reset', now + window, 'epoch', epoch,
      'settled', 0, 'low', limit, 'urgent', 0, 'peak', math.max(urgent, 0.8 * peak))
  elseif limit then
    redis.call('HSET', state_key, 'remaining', remaining - 1)
  end
  if not paced then redis.call('HINCRBY', state_key, 'urgent', 1) end
  if probing then redis.call('HSET', state_key, 'probe', now + PROBE, 'prober', ticket) end
  redis.call('EXPIRE', state_key, KEEP)
end
if counts_globally then
  -- When each call of the last second counts for Discord; the settling script corrects this afterwards.
  redis.call('ZADD', grants_key, now, ticket)
  redis.call('ZREMRANGEBYSCORE', grants_key, '-inf', now - 1.5 * SECOND)
  redis.call('EXPIRE', grants_key, 5)
  redis.call('HSET', global_key, 'next', next_due + period)
  redis.call('EXPIRE', global_key, KEEP)
end
return answer('go', 0, lane, epoch)
