-- Forgets a timer; one that is leased, and is for the same user and time and
-- with the same data, if these are given.

local key, expected = arg(), arg()
if not expected or redis.call('HGET', store .. 'timers', key) == expected then
  stop(key)
end
return 1
