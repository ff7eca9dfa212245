-- Takes events off a group, and parks them if there is a reason to.
--
-- KEYS  the subjects' owners, the group's stream of replayed events, the
--       parked events
-- ARGV  the group; for each event its stream, id and subject, and the field
--       and value by which it is parked, or nothing twice

local owners, replayed, parked, group = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
for i = 2, #ARGV, 5 do
  local stream, id, subject = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('XACK', stream, group, id) == 1 then
    if stream == replayed then
      redis.call('XDEL', stream, id)
    end
    if ARGV[i + 3] ~= '' then
      redis.call('HSET', parked, ARGV[i + 3], ARGV[i + 4])
    end
    local owned = stream .. ' ' .. subject
    local n, consumer = string.match(redis.call('HGET', owners, owned) or '', '^(%d+) (.*)$')
    n = tonumber(n or 0)
    if n > 1 then
      redis.call('HSET', owners, owned, string.format('%d %s', n - 1, consumer))
    else
      redis.call('HDEL', owners, owned)
    end
  end
end
