-- Publishes a notification: its id, its dedupe key's hash and how long that
-- holds, its collapse key, when it was read, archived and snoozed, the rest of
-- its JSON; the bounds of inbox and stream; and deliveries.
--
-- Answers its id and number, nothing if it was known, or "forgotten".

local id, hash, life, key = arg(), arg(), arg(), arg()
local n = {id = id, read = arg(), archived = arg(), snoozed = arg(), rest = arg()}
local max_inbox, max_stream = tonumber(arg()), arg()

if forgotten() then
  return {'forgotten'}
end
if known(hash, life) then
  return {}
end

if key ~= '' then
  local last = redis.call('HGET', mine .. 'collapse', 'k' .. key)
  if last then
    local there = get(last)
    if there and is_unread(there) then
      n.id = last
    end
    redis.call('HDEL', mine .. 'collapse', 'i' .. last)
  end
end
drop(n.id)
if key ~= '' then
  redis.call('HSET', mine .. 'collapse', 'k' .. key, n.id, 'i' .. n.id, key)
end
local epoch, seq = step()
n.seq = seq
local text = put(n)
shorten(max_inbox)
while read_args < #ARGV do
  enqueue(user, arg(), n.id, arg(), arg(), arg())
end
enter(epoch, seq, 'notification', text, max_stream)
return {n.id, seq}
