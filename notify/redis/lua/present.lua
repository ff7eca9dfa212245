-- Says for some milliseconds that users, each before the hash of that, are
-- there. It takes back nothing that was said for longer.

local life = tonumber(arg())
while read_args < #ARGV do
  local key = of(arg()) .. 'present'
  if redis.call('EXISTS', store .. 'forgotten:' .. arg()) == 0 and redis.call('PTTL', key) < life then
    redis.call('SET', key, 1, 'PX', life)
  end
end
return 1
