-- A delivery is kept as its notification's id and its JSON, in which the state
-- and what changes with it stand at the end; when it is tried again stands in
-- what is due over its channel, where it is as long as it is pending.

local function due(text)
  return store .. 'due:' .. string.match(text, '^{"id":"[^"]+","channel":"([^"]*)"', 37)
end

-- enqueue adds a delivery that is not known yet; at is when it is due, or
-- was settled.
local function enqueue(user, id, notification, text, pending, at)
  text = notification .. text
  if redis.call('HSETNX', of(user) .. 'deliveries', id, text) == 0 then
    return
  end
  redis.call('ZADD', of(user) .. 'delivered', 0, notification .. id)
  redis.call('ZADD', pending == '1' and due(text) or store .. 'settled', at, user .. id)
end
