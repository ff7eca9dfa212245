-- A notification is kept as the JSON that its entry has, and whose members
-- begin in an order: so scripts change what they have to, and leave the rest
-- as it was written.

local function parse(text)
  local n = {}
  n.id, n.seq, n.read, n.archived, n.snoozed, n.rest = string.match(text,
    '^{"id":"([^"]+)","seq":(%d+),"read_at":([^,]+),"archived_at":([^,]+),"snoozed_until":([^,]+),(.*)$')
  return n
end

local function format(n)
  return '{"id":"' .. n.id .. '","seq":' .. n.seq .. ',"read_at":' .. n.read .. ',"archived_at":' .. n.archived ..
    ',"snoozed_until":' .. n.snoozed .. ',' .. n.rest
end

-- category is the JSON of it, with which the rest begins.
local function category(n)
  return string.sub(n.rest, #'"category":' + 1, string.find(n.rest, ',"title":', 1, true) - 1)
end

local function is_unread(n)
  return n.read == 'null' and n.archived == 'null' and n.snoozed == 'null'
end

local function place(n)
  if n.snoozed ~= 'null' then
    return mine .. 'snoozed'
  elseif n.archived ~= 'null' then
    return mine .. 'archived'
  end
  return mine .. 'inbox'
end

-- put keeps a notification, and returns its JSON.
local function put(n)
  local text, member = format(n), n.id .. category(n)
  redis.call('HSET', mine .. 'items', n.id, text)
  redis.call('ZADD', place(n), n.seq, member)
  if is_unread(n) then
    redis.call('ZADD', mine .. 'unread', n.seq, member)
  end
  return text
end

-- pick takes a notification from where it is, to be put elsewhere.
local function pick(n)
  local member = n.id .. category(n)
  redis.call('ZREM', place(n), member)
  if is_unread(n) then
    redis.call('ZREM', mine .. 'unread', member)
  end
end

local function get(id)
  local text = redis.call('HGET', mine .. 'items', id)
  return text and parse(text)
end

-- drop removes the notification with an id, if there is one.
local function drop(id)
  local n = get(id)
  if not n then
    return false
  end
  pick(n)
  redis.call('HDEL', mine .. 'items', id)
  local key = redis.call('HGET', mine .. 'collapse', 'i' .. id)
  if key then
    redis.call('HDEL', mine .. 'collapse', 'i' .. id, 'k' .. key)
  end
  return true
end

-- shorten drops the oldest notifications until there are no more than max.
local function shorten(max)
  while redis.call('HLEN', mine .. 'items') > max do
    local oldest, where, least = nil, nil, math.huge
    for _, name in ipairs({'inbox', 'archived', 'snoozed'}) do
      local first = redis.call('ZRANGE', mine .. name, 0, 0, 'WITHSCORES')
      if first[1] and tonumber(first[2]) < least then
        oldest, where, least = first[1], mine .. name, tonumber(first[2])
      end
    end
    if not oldest then
      return
    end
    if not drop(string.sub(oldest, 1, 36)) then -- it was lost; this must come to an end
      redis.call('ZREM', where, oldest)
      redis.call('ZREM', mine .. 'unread', oldest)
    end
  end
end
