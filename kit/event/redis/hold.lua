-- Notes that a consumer is alive.
--
-- KEYS  who is alive
-- ARGV  the consumer

local clock = redis.call('TIME')
redis.call('ZADD', KEYS[1], string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000)), ARGV[1])
