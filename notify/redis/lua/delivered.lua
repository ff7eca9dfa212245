-- Answers what is kept of a notification's deliveries, each before when it is
-- due or "".

local user, notification = arg(), arg()
local answer = {}
for _, member in ipairs(redis.call('ZRANGEBYLEX', of(user) .. 'delivered', '[' .. notification, '[' .. notification .. '~')) do
  local id = string.sub(member, 37)
  local text = redis.call('HGET', of(user) .. 'deliveries', id)
  if text then
    answer[#answer + 1] = redis.call('ZSCORE', due(text), user .. id) or ''
    answer[#answer + 1] = text
  end
end
return answer
