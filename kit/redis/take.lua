-- Takes one request out of each bucket, or out of none if one is empty, by the
-- generic cell rate algorithm, virtual scheduling (ATM Forum, Traffic
-- Management 4.0, af-tm-0056; ITU-T I.371). A bucket's value is the time when
-- it will be full again. Times are microseconds by this server's clock, whole
-- numbers that doubles hold exactly.
--
-- KEYS  the buckets
-- ARGV  for each, how long one request takes to come back, and how long all do
--
-- Answers which bucket is the tightest (it makes wait longest, or has the
-- fewest left), how many are left in it, when it is full, and when to retry.

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local full, tightest, retry = {}, 1, 0
for i, key in ipairs(KEYS) do
  local each, all = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local at = tonumber(redis.call('GET', key) or now)
  full[i] = math.max(at, now)
  if full[i] > now + all then -- more than empty, by another rate or clock
    full[i] = now + all
    redis.call('SET', key, string.format('%.0f', full[i]), 'PX', math.ceil(all / 1000))
  end
  local wait = full[i] + each - all - now
  if wait > retry then
    tightest, retry = i, wait
  end
end
if retry > 0 then
  return {tightest, 0, full[tightest] - now, retry}
end

local least = math.huge
for i, key in ipairs(KEYS) do
  local each, all = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  full[i] = full[i] + each
  redis.call('SET', key, string.format('%.0f', full[i]), 'PX', math.ceil((full[i] - now) / 1000))
  local left = math.floor((all - (full[i] - now)) / each)
  if left < least then
    tightest, least = i, left
  end
end
return {tightest, least, full[tightest] - now, 0}
