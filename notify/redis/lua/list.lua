-- Lists notifications of one of the sorted sets, with numbers up to a bound, of
-- a category (JSON) or of any (""), the newest first, and one more than limit
-- if there are more. Answers the epoch and the number of the last entry, how
-- many are unread, and the notifications.

local mine = of(arg())
local key, bound, of_category, limit = mine .. arg(), arg(), arg(), tonumber(arg())
local ids, seen, step = {}, 0, limit + 1
if of_category ~= '""' then
  step = 200
end
repeat
  local members = redis.call('ZRANGE', key, bound, '-inf', 'BYSCORE', 'REV', 'LIMIT', seen, step)
  for _, member in ipairs(members) do
    if #ids <= limit and (of_category == '""' or string.sub(member, 37) == of_category) then
      ids[#ids + 1] = string.sub(member, 1, 36)
    end
  end
  seen = seen + #members
until #ids > limit or #members < step

local at = redis.call('HMGET', mine .. 'meta', 'epoch', 'seq')
local answer = {at[1] or '', at[2] or '0', redis.call('ZCARD', mine .. 'unread'), {}}
if #ids > 0 then
  answer[4] = redis.call('HMGET', mine .. 'items', unpack(ids))
end
return answer
