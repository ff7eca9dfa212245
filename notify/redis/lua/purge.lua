-- Forgets up to max deliveries that were settled before a time. Answers how many.

local before, max = arg(), arg()
local old = redis.call('ZRANGEBYSCORE', store .. 'settled', '-inf', before, 'LIMIT', 0, max)
for _, member in ipairs(old) do
  local mine, id = of(string.sub(member, 1, 36)), string.sub(member, 37)
  local text = redis.call('HGET', mine .. 'deliveries', id)
  if text then
    redis.call('HDEL', mine .. 'deliveries', id)
    redis.call('ZREM', mine .. 'delivered', string.sub(text, 1, 36) .. id)
  end
  redis.call('ZREM', store .. 'settled', member)
end
return #old
