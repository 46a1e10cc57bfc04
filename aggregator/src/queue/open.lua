-- SPDX-License-Identifier: MIT OR Apache-2.0
-- The oldest week that an entry may hold, now or later: that of the first entry, which was appended before all others.
-- KEYS: stream, sums.
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if first then
  for n = 1, #first[2], 2 do
    if first[2][n] == 'open' then
      return tonumber(first[2][n + 1])
    end
  end
end
return tonumber(redis.call('HGET', KEYS[2], 'open') or 0)
