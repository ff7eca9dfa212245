-- Claims a key of a transport.Keeper: a hash with the id, the fingerprint of
-- the request that came first, until when it is claimed (milliseconds by this
-- server's clock), and its answer.
--
-- ARGV  the id and the fingerprint, how long a claim holds and the key is kept
--
-- Answers "claimed", "running" or "finished", the id, the fingerprint, and the
-- answer of a finished one.

local id, fingerprint, claimed_for, kept_for = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'id', 'fingerprint', 'claimed_until', 'answer')
if not kept[1] then
  redis.call('HSET', KEYS[1], 'id', id, 'fingerprint', fingerprint, 'claimed_until', now + claimed_for)
  redis.call('PEXPIRE', KEYS[1], kept_for)
  return {'claimed', id, fingerprint}
end
if kept[4] then
  return {'finished', kept[1], kept[2], kept[4]}
end
if tonumber(kept[3]) > now then
  return {'running', kept[1], kept[2]}
end
if kept[2] == fingerprint then
  redis.call('HSET', KEYS[1], 'claimed_until', now + claimed_for)
end
return {'claimed', kept[1], kept[2]}
