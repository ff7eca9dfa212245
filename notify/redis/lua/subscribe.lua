-- Keeps a user's subscription: its id, its endpoint's hash, its time and JSON;
-- and no more of the user's than max. Answers "forgotten", or 1.

local user, mark, id, hash, at, text, max = arg(), arg(), arg(), arg(), arg(), arg(), tonumber(arg())
if redis.call('EXISTS', store .. 'forgotten:' .. mark) == 1 then
  return 'forgotten'
end
local has = redis.call('HGET', store .. 'endpoints', hash)
if has then
  unsubscribe(string.sub(has, 1, 36), string.sub(has, 37))
end
unsubscribe(user, id)
redis.call('HSET', of(user) .. 'subscriptions', id, hash .. at .. ' ' .. text)
redis.call('HSET', store .. 'endpoints', hash, user .. id)
while redis.call('HLEN', of(user) .. 'subscriptions') > max do
  local all = redis.call('HGETALL', of(user) .. 'subscriptions')
  local oldest, least = nil, math.huge
  for i = 1, #all, 2 do
    local created = tonumber(string.match(all[i + 1], '^(-?%d+)', 65))
    if created < least or created == least and all[i] < oldest then
      oldest, least = all[i], created
    end
  end
  unsubscribe(user, oldest)
end
return 1
