-- Keeps the sealed answer of a key that was claimed, unless it is forgotten by
-- now or has one.

if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSETNX', KEYS[1], 'answer', ARGV[1])
end
return 1
