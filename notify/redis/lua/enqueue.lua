-- Adds deliveries, each behind its user and the hash of that. Answers
-- "forgotten" if one's user was erased, and then adds none.

for i = read_args + 2, #ARGV, 7 do
  if redis.call('EXISTS', store .. 'forgotten:' .. ARGV[i]) == 1 then
    return 'forgotten'
  end
end
while read_args < #ARGV do
  local user = arg(), arg()
  enqueue(user, arg(), arg(), arg(), arg(), arg())
end
return 1
