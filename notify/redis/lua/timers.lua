-- stop forgets the timer with a key, if there is one.
local function stop(key)
  local was = redis.call('HGET', store .. 'timers', key)
  if was then
    redis.call('HDEL', store .. 'timers', key)
    redis.call('ZREM', store .. 'ringing', key)
    redis.call('SREM', of(string.sub(was, 1, 36)) .. 'timers', key)
  end
end
