-- wrk -s replay.lua URL -- FILE: replays whole HTTP requests, each preceded by a line with its length.
local requests, n, i = {}, 0, 0

function init(args)
   local file = assert(io.open(args[1], "rb"))
   while true do
      local length = file:read("*l")
      if not length then break end
      n = n + 1
      requests[n] = file:read(tonumber(length))
   end
   file:close()
end

function request()
   i = i % n + 1
   return requests[i]
end

function done(summary, latency, _)
   local e = summary.errors
   io.write(string.format('RESULT {"requests":%d,"seconds":%.6f,"wrong":%d,"broken":%d,"p99_ms":%.3f}\n',
      summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
      latency:percentile(99) / 1e3))
end
