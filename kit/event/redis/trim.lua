-- Forgets the entries of a stream that all its groups are done with.
--
-- KEYS  the stream
-- ARGV  how many entries to keep while there is no group

local stream = KEYS[1]
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err then
  return 0 -- there is no stream
elseif #groups == 0 then
  return redis.call('XTRIM', stream, 'MAXLEN', '=', ARGV[1])
end

local leastMs, leastSeq = math.huge, 0
for _, g in ipairs(groups) do
  local is = {}
  for i = 1, #g, 2 do
    is[g[i]] = g[i + 1]
  end
  local id, more = is['last-delivered-id'], 1
  if is['pending'] > 0 then
    id, more = redis.call('XPENDING', stream, is['name'])[2], 0
  end
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  ms, seq = tonumber(ms), tonumber(seq) + more
  if ms < leastMs or ms == leastMs and seq < leastSeq then
    leastMs, leastSeq = ms, seq
  end
end
return redis.call('XTRIM', stream, 'MINID', '=', string.format('%.0f-%.0f', leastMs, leastSeq))
