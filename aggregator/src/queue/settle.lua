-- SPDX-License-Identifier: MIT OR Apache-2.0
-- Removes entries that the store has committed. What another worker has removed before is not counted again.
-- KEYS: stream, sums. ARGV: group, then for each entry its id, how many reports it holds and how many of them came too late.
-- Returns how many reports came too late.
local stream, sums = KEYS[1], KEYS[2]
local drained, entries, late = 0, 0, 0
for n = 2, #ARGV, 3 do
  redis.call('XACK', stream, ARGV[1], ARGV[n])
  if redis.call('XDEL', stream, ARGV[n]) == 1 then
    entries = entries + 1
    drained = drained + tonumber(ARGV[n + 1])
    late = late + tonumber(ARGV[n + 2])
  end
end
redis.call('HINCRBY', sums, 'drained_entries', entries)
redis.call('HINCRBY', sums, 'drained', drained)
if late > 0 then
  redis.call('HINCRBY', sums, 'late', late)
end
return late
