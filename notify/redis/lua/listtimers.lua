-- Answers the keys of a user's timers, each before what is kept of it.

local answer = {}
for _, key in ipairs(redis.call('SMEMBERS', of(arg()) .. 'timers')) do
  local text = redis.call('HGET', store .. 'timers', key)
  if text then
    answer[#answer + 1] = key
    answer[#answer + 1] = text
  end
end
return answer
