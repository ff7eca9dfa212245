-- Has the claim of a key that has no answer last for ARGV[1] milliseconds from now.

if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HEXISTS', KEYS[1], 'answer') == 0 then
  local clock = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'claimed_until', clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[1])
end
return 1
