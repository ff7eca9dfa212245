-- Ends a consumer: what it has in hand is a dead one's, and was not tried.
--
-- KEYS  who is alive, the streams
-- ARGV  the group, the consumer

local group, me = ARGV[1], ARGV[2]
for i = 2, #KEYS do
  local from, pending = '-', {}
  repeat
    pending = redis.pcall('XPENDING', KEYS[i], group, from, '+', 1000, me)
    for _, entry in ipairs(pending) do
      redis.call('XCLAIM', KEYS[i], group, me, 0, entry[1], 'RETRYCOUNT', math.max(entry[4] - 1, 0), 'JUSTID')
      from = '(' .. entry[1]
    end
  until #pending == 0
end
redis.call('ZADD', KEYS[1], 0, me) -- long silent
