-- Gives a pending delivery another state, with all that stands behind it.

local user, id, state, pending, at = arg(), arg(), arg(), arg(), arg()
local text = redis.call('HGET', of(user) .. 'deliveries', id)
if not text or not redis.call('ZSCORE', due(text), user .. id) then
  return 0
end
local behind = string.find(text, ',"state":', 1, true)
redis.call('HSET', of(user) .. 'deliveries', id, string.sub(text, 1, behind - 1) .. state)
if pending == '1' then
  redis.call('ZADD', due(text), at, user .. id)
else
  redis.call('ZREM', due(text), user .. id)
  redis.call('ZADD', store .. 'settled', at, user .. id)
end
return 1
