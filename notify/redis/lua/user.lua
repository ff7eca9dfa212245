-- What scripts about one user's inbox and stream begin with.

local user, mark, live, seed = arg(), store .. 'forgotten:' .. arg(), arg(), arg()
local mine = of(user)

local function forgotten()
  return redis.call('EXISTS', mark) == 1
end

-- known tells whether a dedupe key, if there is one, is remembered, and remembers it.
local function known(hash, life)
  if hash == '' then
    return false
  end
  local key, at = mine .. 'dedupe', now()
  local over = redis.call('ZSCORE', key, hash)
  if over and tonumber(over) > at then
    return true
  end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', at)
  redis.call('ZADD', key, at + life, hash)
  redis.call('PEXPIRE', key, life)
  return false
end

-- step returns the epoch, and the number, of the next entry. An epoch is no
-- longer than the life of this server: after a crash, or instead of another
-- one, it may have begun with less than clients have seen.
local function step()
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
  run = string.sub(run, 1, 8)
  local epoch = redis.call('HGET', mine .. 'meta', 'epoch')
  if not epoch then
    redis.call('DEL', mine .. 'stream')
  end
  if not epoch or string.sub(epoch, 1, #run) ~= run then
    epoch = run .. seed
    redis.call('HSET', mine .. 'meta', 'epoch', epoch)
  end
  return epoch, redis.call('HINCRBY', mine .. 'meta', 'seq', 1)
end

-- enter adds an entry, when what it tells of is done.
local function enter(epoch, seq, kind, data, max)
  local unread = redis.call('ZCARD', mine .. 'unread')
  redis.call('XADD', mine .. 'stream', 'MAXLEN', '=', max, seq .. '-0', 't', kind, 'u', unread, 'd', data)
  redis.call('PUBLISH', live, table.concat({user, epoch, seq, unread, #kind, kind .. data}, ' '))
end
