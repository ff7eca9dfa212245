-- Sets a user's timer: its key, when it rings, and its data. Answers
-- "forgotten", or 1.

local user, mark, key, at, data = arg(), arg(), arg(), arg(), arg()
if redis.call('EXISTS', store .. 'forgotten:' .. mark) == 1 then
  return 'forgotten'
end
stop(key)
redis.call('HSET', store .. 'timers', key, user .. '0' .. at .. ' ' .. data)
redis.call('ZADD', store .. 'ringing', at, key)
redis.call('SADD', of(user) .. 'timers', key)
return 1
