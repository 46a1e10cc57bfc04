-- SPDX-License-Identifier: MIT OR Apache-2.0
-- Removes consumers that have gone. One with pending entries stays: they would never be delivered again.
-- KEYS: stream, sums. ARGV: group, milliseconds without a sign of life, name of a consumer that leaves by itself.
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local told = {}
  for n = 1, #consumer, 2 do
    told[consumer[n]] = consumer[n + 1]
  end
  if told.pending == 0 and (told.idle >= tonumber(ARGV[2]) or told.name == ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], told.name)
  end
end
return 0
