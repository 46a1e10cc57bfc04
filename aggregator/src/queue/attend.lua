-- SPDX-License-Identifier: MIT OR Apache-2.0
-- Keeps the group's list of consumers to those that are there. One with pending entries stays, or nobody would ever be given
-- those again. Reading from an empty stream is no sign of life to every version of the server, so whoever is here starts anew
-- well before others take it for gone.
-- KEYS: stream, sums. ARGV: group, this consumer, milliseconds until it starts anew (0: it leaves), and until others are gone.
local own = ARGV[2]
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local told = {}
  for n = 1, #consumer, 2 do
    told[consumer[n]] = consumer[n + 1]
  end
  local patience = tonumber(told.name == own and ARGV[3] or ARGV[4])
  if told.pending == 0 and told.idle >= patience then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], told.name)
  end
end
if ARGV[3] ~= '0' then
  redis.call('XGROUP', 'CREATECONSUMER', KEYS[1], ARGV[1], own)
end
return 0
