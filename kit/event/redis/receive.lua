-- Gives events to a consumer of a group. What a group was given and is not
-- done with is in its streams' lists of pending entries, under the consumer
-- that has it in hand. A subject of a stream belongs to one consumer while
-- there is any of it: others put what they find of it in that one's inbox.
--
-- KEYS  who is alive and when last heard of, the subjects' owners ("COUNT
--       CONSUMER"), the consumer's inbox ("STREAM ID"), what it was given last
--       (that answer's number, and then as in its inbox), the streams
-- ARGV  the group, the consumer, after how many milliseconds a silent one is
--       dead, how many events at most, which stream comes first, how the names
--       of inboxes begin, how those of what was given last do, the number of
--       the last answer that reached the consumer
--
-- Answers a list of events, each with its stream, its id and how often it was
-- given; if it is empty, behind which id new ones would be, by stream, and
-- otherwise the answer's number.

local alive, owners, inbox, last = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, me, claim, max, first = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local inboxes, lasts, reached = ARGV[6], ARGV[7], ARGV[8]
local streams = {unpack(KEYS, 5)}
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZADD', alive, string.format('%.0f', now), me)

local given, refs = {}, {}
local function give(stream, id, fields, attempts)
  given[#given + 1] = {stream, id, fields[4] or '', attempts}
  refs[#refs + 1] = stream .. ' ' .. id
end

local function dead(consumer)
  local heard = redis.call('ZSCORE', alive, consumer)
  return not heard or tonumber(heard) < now - claim
end

-- owner returns another living consumer to whom a subject belongs, if any, and
-- how many of the subject's events are in hand.
local function owner(stream, subject)
  local n, consumer = string.match(redis.call('HGET', owners, stream .. ' ' .. subject) or '', '^(%d+) (.*)$')
  if not n or consumer == me or dead(consumer) then
    return nil, tonumber(n or 0)
  end
  return consumer, tonumber(n)
end

local function own(stream, subject, consumer, n)
  redis.call('HSET', owners, stream .. ' ' .. subject, string.format('%d %s', n, consumer))
end

-- hand gives an entry, or puts it in an inbox.
local function hand(stream, id, fields, attempts, other)
  if other then
    redis.call('RPUSH', inboxes .. other, stream .. ' ' .. id)
  elseif #given < max then
    give(stream, id, fields, attempts)
  else
    redis.call('RPUSH', inbox, stream .. ' ' .. id)
  end
end

-- take makes a dead consumer's entry this one's.
local function take(stream, entry)
  local id, attempts = entry[1], entry[4] + 1
  local found = redis.call('XRANGE', stream, id, id)[1]
  if not found then
    redis.call('XACK', stream, group, id) -- somebody has deleted it
    return
  end
  local subject = found[2][2] or ''
  local other, n = owner(stream, subject)
  redis.call('XCLAIM', stream, group, other or me, 0, id, 'RETRYCOUNT', attempts, 'JUSTID')
  own(stream, subject, other or me, math.max(n, 1))
  hand(stream, id, found[2], attempts, other)
end

local pending = {}
for i, stream in ipairs(streams) do
  local found = redis.pcall('XPENDING', stream, group)
  if found.err then
    redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
    found = {}
  end
  pending[i] = found[4] or {}
end

-- An answer that was lost is given again.
local answer = redis.call('LRANGE', last, 0, -1)
if #answer > 0 and answer[1] ~= reached then
  for i = #answer, 2, -1 do
    redis.call('LPUSH', inbox, answer[i])
  end
end
redis.call('DEL', last)

while #given < max do
  local stream, id = string.match(redis.call('LPOP', inbox) or '', '^(.*) (.-)$')
  if not stream then
    break
  end
  local mine = redis.pcall('XPENDING', stream, group, id, id, 1, me)[1]
  local found = mine and redis.call('XRANGE', stream, id, id)[1]
  if found then
    give(stream, id, found[2], mine[4])
  end
end

-- All that the dead have goes, at once, before anything new.
for i, stream in ipairs(streams) do
  for _, consumer in ipairs(pending[i]) do
    local entries = {}
    repeat
      entries = dead(consumer[1]) and redis.call('XPENDING', stream, group, '-', '+', 1000, consumer[1]) or {}
      for _, entry in ipairs(entries) do
        take(stream, entry)
      end
    until #entries == 0
  end
end
for _, consumer in ipairs(redis.call('ZRANGEBYSCORE', alive, '-inf', string.format('(%.0f', now - claim))) do
  for _, stream in ipairs(streams) do
    redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer)
  end
  redis.call('DEL', inboxes .. consumer, lasts .. consumer)
  redis.call('ZREM', alive, consumer)
end

for k = 0, #streams - 1 do
  local stream = streams[1 + (first + k) % #streams]
  local found = #given < max and redis.call('XREADGROUP', 'GROUP', group, me, 'COUNT', max - #given, 'STREAMS', stream, '>')
  for _, entry in ipairs(found and found[1][2] or {}) do
    local id, subject = entry[1], entry[2][2] or ''
    local other, n = owner(stream, subject)
    if other then
      redis.call('XCLAIM', stream, group, other, 0, id, 'JUSTID')
    end
    own(stream, subject, other or me, n + 1)
    hand(stream, id, entry[2], 1, other)
  end
end
if #given > 0 then
  local number = string.format('%d', (tonumber(answer[1]) or tonumber(reached)) + 1)
  redis.call('RPUSH', last, number, unpack(refs))
  return {given, number}
end

local behind = {}
for i, stream in ipairs(streams) do
  for _, g in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local is = {}
    for j = 1, #g, 2 do
      is[g[j]] = g[j + 1]
    end
    if is['name'] == group then
      behind[i] = is['last-delivered-id']
    end
  end
end
return {given, behind}
