-- A delivery is kept as its notification's id and its JSON, in which the state
-- and what changes with it stand at the end; when it is tried again stands in
-- due, where it is as long as it is pending.

-- enqueue adds a delivery that is not known yet; at is when it is due, or
-- was settled.
local function enqueue(user, id, notification, text, pending, at)
  if redis.call('HSETNX', of(user) .. 'deliveries', id, notification .. text) == 0 then
    return
  end
  redis.call('ZADD', of(user) .. 'delivered', 0, notification .. id)
  redis.call('ZADD', store .. (pending == '1' and 'due' or 'settled'), at, user .. id)
end
