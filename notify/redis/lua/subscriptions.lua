-- unsubscribe forgets a user's subscription, if there is one.
local function unsubscribe(user, id)
  local was = redis.call('HGET', of(user) .. 'subscriptions', id)
  if was then
    redis.call('HDEL', of(user) .. 'subscriptions', id)
    redis.call('HDEL', store .. 'endpoints', string.sub(was, 1, 64))
  end
end
