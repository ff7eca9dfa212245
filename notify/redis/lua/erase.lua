-- Removes all that is kept of a user, and leaves a mark for some milliseconds.
-- Answers how many notifications, entries, deliveries, timers and subscriptions
-- there were.

local user, mark, life = arg(), arg(), arg()
local mine = of(user)
local counts = {
  redis.call('HLEN', mine .. 'items'), redis.call('XLEN', mine .. 'stream'), redis.call('HLEN', mine .. 'deliveries'),
  redis.call('SCARD', mine .. 'timers'), redis.call('HLEN', mine .. 'subscriptions'),
}
local deliveries = redis.call('HGETALL', mine .. 'deliveries')
for i = 1, #deliveries, 2 do
  local id, text = deliveries[i], deliveries[i + 1]
  redis.call('ZREM', due(text), user .. id)
  redis.call('ZREM', store .. 'settled', user .. id)
end
for _, key in ipairs(redis.call('SMEMBERS', mine .. 'timers')) do
  stop(key)
end
for _, hash in ipairs(redis.call('ZRANGE', mine .. 'tickets', 0, -1)) do
  redis.call('UNLINK', store .. 'ticket:' .. hash)
end
for _, id in ipairs(redis.call('HKEYS', mine .. 'subscriptions')) do
  unsubscribe(user, id)
end
for _, name in ipairs({
  'meta', 'stream', 'items', 'inbox', 'archived', 'snoozed', 'unread', 'collapse', 'dedupe',
  'deliveries', 'delivered', 'timers', 'tickets', 'subscriptions', 'present',
}) do
  redis.call('UNLINK', mine .. name)
end
redis.call('SET', store .. 'forgotten:' .. mark, 1, 'PX', life)
return counts
