-- Forgets a timer that is leased, if it is for the same user and time and with
-- the same data as when it was.

local key, expected = arg(), arg()
if redis.call('HGET', store .. 'timers', key) == expected then
  stop(key)
end
return 1
