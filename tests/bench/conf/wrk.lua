-- With an argument N, N requests are sent at once on each connection and their
-- answers awaited (pipelining). At the end one line of figures for the program.

function init(args)
   if args[1] then
      local batch = string.rep(wrk.format(), tonumber(args[1]))
      request = function() return batch end -- global: its being there makes wrk ask for it
   end
end

function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '\nFIGURES {"requests":%d,"microseconds":%d,"bytes":%d,"p50":%d,"p99":%d,"max":%d,' ..
      '"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
      summary.requests, summary.duration, summary.bytes,
      latency:percentile(50), latency:percentile(99), latency.max,
      e.connect, e.read, e.write, e.status, e.timeout))
end
