-- Takes up to max deliveries that are due over a channel at a time, until
-- another. Answers each one's user and what is kept of it.

local due, at, till, max = store .. 'due:' .. arg(), arg(), arg(), arg()
local taken = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', at, 'LIMIT', 0, max)) do
  local user = string.sub(member, 1, 36)
  local text = redis.call('HGET', of(user) .. 'deliveries', string.sub(member, 37))
  if text then
    redis.call('ZADD', due, till, member)
    taken[#taken + 1] = user
    taken[#taken + 1] = text
  else
    redis.call('ZREM', due, member) -- it was lost; it must not block the others
  end
end
return taken
