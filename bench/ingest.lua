-- What bench/ingest has wrk send: user events of some 200 bytes, each with a session of its own, made before the
-- clock starts. At the end one line of figures: requests, errors, and latencies in microseconds.

local different = 20000

function init()
  requests = {}
  local headers = { ["Content-Type"] = "application/json" }
  for i = 1, different do
    local body = string.format(
      '{"type":"page_view","user_id":"user-%06d","session_id":"session-%06d",' ..
      '"payload":{"path":"/products/item-%04d","referrer":"https://search.example/items?page=%d"}}',
      i * 7 % 1000000, i, i * 31 % 1000, i % 9 + 1)
    requests[i] = wrk.format("POST", "/events", headers, body)
  end
  at = 0
end

function request()
  at = at % different + 1
  return requests[at]
end

function done(summary, latency)
  local e = summary.errors
  print(string.format('figures {"requests": %d, "microseconds": %d, "errors": %d, "refused": %d, "p50": %d, "p99": %d, "most": %d}',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.timeout, e.status,
    latency:percentile(50), latency:percentile(99), latency.max))
end
