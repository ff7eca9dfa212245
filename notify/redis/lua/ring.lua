-- Leases up to max timers that ring at a time, until another. Answers each
-- one's key and what is kept of it.

local at, till, max = arg(), arg(), arg()
local rung = {}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', store .. 'ringing', '-inf', at, 'LIMIT', 0, max)) do
  local was = redis.call('HGET', store .. 'timers', key)
  if was then
    redis.call('HSET', store .. 'timers', key, string.sub(was, 1, 36) .. '1' .. string.sub(was, 38))
    redis.call('ZADD', store .. 'ringing', till, key)
    rung[#rung + 1] = key
    rung[#rung + 1] = was
  else
    redis.call('ZREM', store .. 'ringing', key) -- it was lost; it must not block the others
  end
end
return rung
