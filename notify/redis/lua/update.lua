-- Gives a notification, if it still is what it was, other times at which it was
-- read and archived and until which it is snoozed. Answers its number, or
-- nothing if it is another.

local was, id = arg(), arg()
local read, archived, snoozed, max = arg(), arg(), arg(), arg()
if redis.call('HGET', mine .. 'items', id) ~= was then
  return {}
end
local n = parse(was)
pick(n)
local epoch, seq = step()
if n.snoozed ~= 'null' and snoozed == 'null' then
  n.seq = seq
end
n.read, n.archived, n.snoozed = read, archived, snoozed
enter(epoch, seq, 'notification', put(n), max)
return {tonumber(n.seq)}
