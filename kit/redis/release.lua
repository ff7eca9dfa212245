-- Gives up the claim of a key that has no answer.

if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HEXISTS', KEYS[1], 'answer') == 0 then
  redis.call('HSET', KEYS[1], 'claimed_until', 0)
end
return 1
