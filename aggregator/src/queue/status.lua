-- SPDX-License-Identifier: MIT OR Apache-2.0
-- What a queue holds and held, of one moment.
-- KEYS: stream, sums. ARGV: group.
local answer = {}
for n, field in ipairs({'appended', 'appended_entries', 'drained', 'drained_entries', 'late', 'open', 'closed'}) do
  answer[n] = tonumber(redis.call('HGET', KEYS[2], field) or 0)
end
answer[#answer + 1] = redis.call('XLEN', KEYS[1])
-- An error where there is no group.
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
answer[#answer + 1] = pending.err and 0 or pending[1]
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
answer[#answer + 1] = consumers.err and 0 or #consumers
return answer
