-- What was reserved may be sent now. KEYS: the address, the account. Gives {"ok", epochs, here, 0}, {"lost"} or
-- {"banned", milliseconds}.
local here, epochs = here_ms(), {}
for number, key in ipairs(KEYS) do
  local found = redis.call('HMGET', key, 'epoch', 'ban')
  if not found[1] then return {'lost'} end
  local ends = tonumber(found[2] or 0)
  if ends > here then return {'banned', ends - here} end
  epochs[number] = found[1]
end
return {'ok', epochs[1], epochs[2] or '', here, 0}
