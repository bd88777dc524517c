-- Learn from the answer to a call. All times are microseconds of the server's clock.
--
-- KEYS  1 prefix of the bot's keys   2 key of the budget for bad answers of this egress address
-- ARGV  see `SharedLimiter.settle`
local prefix, bad_key = KEYS[1], KEYS[2]
local ticket, lane, epoch = ARGV[1], ARGV[2], tonumber(ARGV[3])
local route, family, top = ARGV[4], ARGV[5], ARGV[6]
local bucket, limit, remaining, reset_after = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local answered, scope, retry_after, bad = ARGV[11] == '1', ARGV[12], tonumber(ARGV[13]), ARGV[14] == '1'
local webhook, webhook_seconds, token = ARGV[15], tonumber(ARGV[16]), ARGV[17]

local SECOND = 1000000
local SPREAD, SPREAD_STEP, SPREAD_MAX = 20000, 5000, 200000
local DELAY_MAX = 100000        -- by how much a call may count later than it went
local KEEP, KEEP_FAMILY, KEEP_UNLIMITED = 3600, 86400, 600
local OUT = 600                 -- seconds until a refused token may be tried again

local time = redis.call('TIME')
local now = time[1] * SECOND + time[2]

local function numbers(key, ...)
  local values = redis.call('HMGET', key, ...)
  for i = 1, #values do values[i] = tonumber(values[i] or nil) end
  return values
end

local function move(queue, to)
  for _, kind in ipairs({'wait:', 'turn:'}) do
    local from = prefix .. kind .. queue
    if redis.call('EXISTS', from) == 1 then
      redis.call('ZUNIONSTORE', prefix .. kind .. to, 2, prefix .. kind .. to, from, 'AGGREGATE', 'MIN')
      redis.call('EXPIRE', prefix .. kind .. to, 60)
      redis.call('DEL', from)
    end
  end
end

-- A call that took longer than its route's quickest may have been held up on its way there, so it may fall into a
-- later second of Discord's than we thought.
local went = tonumber(redis.call('ZSCORE', prefix .. 'grants', ticket) or nil)
if went and answered then
  local took, quickest = now - went, tonumber(redis.call('HGET', prefix .. 'quickest', family) or nil)
  quickest = math.min(took, quickest and quickest * 1.01 or took)
  redis.call('HSET', prefix .. 'quickest', family, quickest)
  redis.call('EXPIRE', prefix .. 'quickest', KEEP)
  redis.call('ZADD', prefix .. 'grants', went + math.min(DELAY_MAX, took - quickest), ticket)
end

if lane ~= '' and redis.call('HGET', prefix .. 'lane:' .. lane, 'prober') == ticket then
  redis.call('HDEL', prefix .. 'lane:' .. lane, 'probe', 'prober')
end

if bucket ~= '' then
  local learnt = 'b:' .. bucket .. ':' .. top
  redis.call('SET', prefix .. 'route:' .. route, bucket, 'EX', KEEP)
  redis.call('SET', prefix .. 'family:' .. family, bucket, 'EX', KEEP_FAMILY)
  if lane ~= learnt then
    -- Calls wait under the route's own name until its bucket is known; they keep their order in the bucket's queue.
    if lane == 'r:' .. route then move(lane, learnt) end
    lane, epoch = learnt, -1
  end
  local key = prefix .. 'lane:' .. lane
  local s = numbers(key, 'limit', 'remaining', 'reset', 'window', 'epoch', 'settled', 'low')
  local known, left, reset, window = s[1], s[2], s[3], s[4]
  local current, settled, low = s[5] or 0, s[6], s[7]
  local reported = now + reset_after
  -- The first answer of a window tells its length; later ones only that it is no shorter.
  window = remaining == limit - 1 and reset_after or math.max(window or 0, reset_after)
  if not known or (epoch == -1 and reported > reset + window / 2) then
    current, left, reset, low, settled = current + 1, remaining, reported, remaining, 1
  elseif epoch == current or epoch == -1 or reported > reset - window / 2 then
    -- (A call of an earlier window that was slow on its way may have been counted in this one.)
    -- Answers overtake one another: the one that saw the fewest slots left is the newest.
    if settled ~= 1 or remaining < low then
      reset, low = reported, remaining
    elseif remaining == low then
      reset = math.min(reset, reported)
    end
    left, settled = math.min(left, remaining), 1
  end
  redis.call('HSET', key, 'limit', limit, 'remaining', math.min(left, limit), 'reset', reset, 'window', window,
    'epoch', current, 'settled', settled or 0, 'low', low or limit)
  redis.call('EXPIRE', key, KEEP)
elseif answered and scope == '' then
  redis.call('SET', prefix .. 'route:' .. route, '-', 'EX', KEEP_UNLIMITED)
end

if scope == 'global' then
  local g = numbers(prefix .. 'global', 'pause', 'spread', 'spread_at', 'next')
  local spread = math.max(SPREAD, (g[2] or 0) - (now - (g[3] or 0)) / 1000)
  -- No slots pile up during the pause.
  local pause = math.max(g[1] or 0, now + retry_after)
  redis.call('HSET', prefix .. 'global', 'pause', pause, 'next', math.max(g[4] or 0, pause),
    'spread', math.min(SPREAD_MAX, spread + SPREAD_STEP), 'spread_at', now)
  redis.call('EXPIRE', prefix .. 'global', KEEP)
elseif scope == 'edge' then
  redis.call('HSET', bad_key, 'blocked', now + retry_after)
elseif scope ~= '' then
  if lane == '' then
    redis.call('DEL', prefix .. 'route:' .. route)
    lane = 'r:' .. route
  end
  local key = prefix .. 'lane:' .. lane
  local s = numbers(key, 'limit', 'reset', 'shut')
  local open = now + retry_after
  redis.call('HSET', key, 'shut', math.max(s[3] or 0, open))
  if s[1] then redis.call('HSET', key, 'remaining', 0, 'reset', math.max(s[2], open), 'settled', 1, 'low', 0) end
  redis.call('EXPIRE', key, KEEP)
end

if bad then redis.call('HINCRBY', bad_key, math.floor(now / (30 * SECOND)), 1) end
if bad or scope == 'edge' then redis.call('EXPIRE', bad_key, math.max(700, math.ceil(retry_after / SECOND) + 60)) end
if webhook ~= '' then
  if webhook_seconds > 0 then
    redis.call('SET', prefix .. 'gone:' .. webhook, 1, 'EX', webhook_seconds)
  else
    redis.call('SET', prefix .. 'gone:' .. webhook, 1)
  end
end
if token ~= '' then
  if ARGV[18] == '1' then
    redis.call('SET', prefix .. 'out:' .. token, 1, 'EX', OUT)
  else
    redis.call('DEL', prefix .. 'out:' .. token)
  end
end
return 0
