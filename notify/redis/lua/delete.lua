-- Deletes the notification with an id. Answers whether there was one.

local id, max = arg(), arg()
if not drop(id) then
  return 0
end
local epoch, seq = step()
enter(epoch, seq, 'notification.deleted', '{"id":"' .. id .. '"}', max)
return 1
