-- Takes a token from the bucket of a client: what `quota.rs` explains, in one step that nobody can come between.
--
-- KEYS[1]  the bucket: its level, in microseconds x requests, and the time at which it had it, in microseconds
-- ARGV[1]  how many requests fit into a window
-- ARGV[2]  the window in microseconds
--
-- Answers 1 for a request that is let in, else 0, and the level after it. The time is that of this server, so the clocks of
-- the instances do not matter.
local requests, weight = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local level, at = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)$')
level, at = tonumber(level or 0), tonumber(at or now)

level = math.max(0, level - math.max(0, now - at) * requests)
local is_allowed = level + weight <= requests * weight
if is_allowed then
  level = level + weight
end
-- A bucket that has drained is as good as none.
local drained_in_ms = math.ceil(level / requests / 1000)
redis.call('SET', KEYS[1], string.format('%.0f %.0f', level, now), 'PX', math.max(1, drained_in_ms))
return { is_allowed and 1 or 0, level }
