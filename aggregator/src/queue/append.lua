-- SPDX-License-Identifier: MIT OR Apache-2.0
-- Appends an entry, unless an intake with a later clock has closed more weeks meanwhile.
-- KEYS: stream, sums. ARGV: oldest open week, reports, their number, appended reports and entries that the caller has seen.
-- Returns: oldest open week before, appended reports and entries now, and reports that the server had forgotten.
local stream, sums = KEYS[1], KEYS[2]
local oldest, reports, count = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local function sum(field) return tonumber(redis.call('HGET', sums, field) or 0) end

local open = sum('open')
if oldest < open then
  return {open, 0, 0, 0}
end
if oldest > open then
  redis.call('HSET', sums, 'open', oldest)
end
-- Less than was seen before: a replica that lacked the rest has taken over, or the end of the file was lost.
local forgotten = 0
for n, field in ipairs({'appended', 'appended_entries'}) do
  local missing = tonumber(ARGV[3 + n]) - sum(field)
  if missing > 0 then
    redis.call('HINCRBY', sums, field, missing)
    forgotten = math.max(forgotten, missing)
  end
end
if count > 0 then
  redis.call('XADD', stream, '*', 'open', oldest, 'reports', reports)
  redis.call('HINCRBY', sums, 'appended_entries', 1)
end
-- Also with nothing to add: whether the server can write is the question then.
local appended = redis.call('HINCRBY', sums, 'appended', count)
return {open, appended, sum('appended_entries'), forgotten}
