-- Keeps a user's ticket by its hash for some milliseconds. Answers "forgotten", or 1.

local user, mark, hash, session, life = arg(), arg(), arg(), arg(), tonumber(arg())
if redis.call('EXISTS', store .. 'forgotten:' .. mark) == 1 then
  return 'forgotten'
end
redis.call('SET', store .. 'ticket:' .. hash, user .. session, 'PX', life)
local index, at = of(user) .. 'tickets', now()
redis.call('ZREMRANGEBYSCORE', index, '-inf', at)
redis.call('ZADD', index, at + life, hash)
if redis.call('PTTL', index) < life then
  redis.call('PEXPIRE', index, life)
end
return 1
