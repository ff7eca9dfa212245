-- Reads, at a time, what is unread up to a number, of a category or of any
-- (""); both times and categories are JSON. Answers how many that were, and
-- how many are unread.

local up_to, of_category, at, max = arg(), arg(), arg(), arg()
local read = 0
for _, member in ipairs(redis.call('ZRANGEBYSCORE', mine .. 'unread', '-inf', up_to)) do
  local n = (of_category == '""' or string.sub(member, 37) == of_category) and get(string.sub(member, 1, 36))
  if n then
    n.read = at
    redis.call('HSET', mine .. 'items', n.id, format(n))
    redis.call('ZREM', mine .. 'unread', member)
    read = read + 1
  end
end
if read > 0 then
  local epoch, seq = step()
  if tonumber(up_to) > seq then
    up_to = seq
  end
  enter(epoch, seq, 'notifications.read', '{"up_to_seq":' .. up_to .. ',"category":' .. of_category .. ',"read_at":' .. at .. '}', max)
end
return {read, redis.call('ZCARD', mine .. 'unread')}
