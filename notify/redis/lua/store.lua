-- The beginning of every script. Arguments are read one by one; the first is
-- what the names of all keys begin with. Behind it are
--
--   {USER}:meta           hash: epoch, seq (of the last entry)
--   {USER}:stream         stream: the entries, by SEQ-0: type, unread, data
--   {USER}:items          hash: a notification's id to its JSON
--   {USER}:inbox          sorted sets of notifications by seq, of which each is in
--   {USER}:archived         one: neither archived nor snoozed; archived and not
--   {USER}:snoozed          snoozed; snoozed. Members are an id and a category
--   {USER}:unread         sorted set: those of the inbox that are not read
--   {USER}:collapse       hash: "k" and a collapse key to an id, "i" and the id to the key
--   {USER}:dedupe         sorted set: hashes of dedupe keys by when they are over
--   {USER}:deliveries     hash: a delivery's id to its notification's id and its JSON
--   {USER}:delivered      sorted set: a notification's id and a delivery's, by name
--   {USER}:timers         set: keys
--   {USER}:tickets        sorted set: hashes by when they are over
--   {USER}:subscriptions  hash: id to the hash of the endpoint, the time and the JSON
--   {USER}:present        there while the user is
--   due:CHANNEL, settled  sorted sets: a user and a delivery's id, by when it is
--                           tried again, or was settled
--   timers                hash: key to user, 0 or 1 (it is leased), time and data
--   ringing               sorted set: keys by when they ring
--   ticket:HASH           a user and a session
--   endpoints             hash: an endpoint's hash to a user and a subscription's id
--   forgotten:HASH        there while a user is to stay erased
--
-- User ids, and those of notifications and deliveries, have 36 characters.
-- Times that are scores are microseconds.

local read_args = 0

local function arg()
  read_args = read_args + 1
  return ARGV[read_args]
end

local store = arg()

local function of(user)
  return store .. '{' .. user .. '}:'
end

-- now is in milliseconds.
local function now()
  local clock = redis.call('TIME')
  return clock[1] * 1000 + math.floor(clock[2] / 1000)
end
