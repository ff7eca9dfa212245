-- Adds an entry of a kind, with data: behind its dedupe key's hash and how long
-- that holds, and before the bound of the stream. Answers "forgotten", or 1.

local hash, life, kind, data, max = arg(), arg(), arg(), arg(), arg()
if forgotten() then
  return 'forgotten'
end
if not known(hash, life) then
  local epoch, seq = step()
  enter(epoch, seq, kind, data, max)
end
return 1
