-- Keeps the sealed answer of a key that was claimed, unless it is forgotten by now.

if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'answer', ARGV[1])
end
return 1
