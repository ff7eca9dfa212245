-- Gives parked events to their group again.
--
-- KEYS  the parked events, the group's stream of replayed events
-- ARGV  for each event its field, subject and itself
--
-- Answers how many of them were parked.

local n = 0
for i = 1, #ARGV, 3 do
  if redis.call('HDEL', KEYS[1], ARGV[i]) == 1 then
    redis.call('XADD', KEYS[2], '*', 'subject', ARGV[i + 1], 'event', ARGV[i + 2])
    n = n + 1
  end
end
return n
