-- What was lost begins anew: KEYS: the address, the accounts. Words: an epoch, the venue's time or "", the percentage of
-- each limit that counts as used until the venue says otherwise, limits of weight, of requests and of orders, and for
-- each key until when it is banned.
local here = here_ms()
for number, key in ipairs(KEYS) do
  local found = read(key)
  if not found.epoch then
    local ban = math.max(tonumber(found.ban) or 0, tonumber(words[6 + number]))
    local offset = words[2] ~= '' and tonumber(words[2]) - here or 0
    local names = number == 1 and {weight = words[4], raw = words[5]} or {orders = words[6]}
    redis.call('HSET', key, 'epoch', words[1], 'ban', ban, 'offset', offset)
    for name, limits in pairs(names) do
      redis.call('HSET', key, name, limits)
      local all = windows(names, name, here + offset)
      local percent = tonumber(words[3])
      for _, one in ipairs(all) do
        one.base, one.at, one.doubt = math.floor(one.most * percent / 100), 0, percent > 0 and 1 or 0
      end
      save(key, all)
    end
  end
end
return 1
