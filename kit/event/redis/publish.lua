-- Adds events to a source's stream, all or none.
--
-- KEYS  the stream, the source's position
-- ARGV  the position that the events follow; for each its subject and itself
--
-- Answers -1, or the last position that is known when that is an earlier one.

local function id(text)
  local ms, seq = string.match(text, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

-- holds tells whether the stream has what was added last, or had it before it was trimmed.
local function holds(last)
  local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      local ms, seq = id(info[i + 1])
      local lastMs, lastSeq = id(last)
      return ms > lastMs or ms == lastMs and seq >= lastSeq
    end
  end
  return false
end

local known = redis.call('HMGET', KEYS[2], 'position', 'last')
local position, last, after = tonumber(known[1] or 0), known[2], tonumber(ARGV[1])
if last and not holds(last) then
  position = 0
end
if position < after then
  return position
end
if #ARGV > 1 then
  for i = 2, #ARGV, 2 do
    last = redis.call('XADD', KEYS[1], '*', 'subject', ARGV[i], 'event', ARGV[i + 1])
  end
  redis.call('HSET', KEYS[2], 'position', string.format('%.0f', after + (#ARGV - 1) / 2), 'last', last)
end
return -1
