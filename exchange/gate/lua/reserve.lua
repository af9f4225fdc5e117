-- KEYS: the address, the account (only for orders). Words: the venue's time or "", weight, the percentage of the weight
-- that such a call may fill, orders, the percentage of orders, the customer, the kind of call, requests (0 or 1).
-- Gives {"ok", epochs, here, now}, {"lost"}, {"banned", milliseconds} or {"full", of what, milliseconds}.
local here = here_ms()
local address = read(KEYS[1])
local account = KEYS[2] and read(KEYS[2])
if not address.epoch or (account and not account.epoch) then return {'lost'} end

local ends = tonumber(address.ban) or 0
if account then ends = math.max(ends, tonumber(account.ban) or 0) end
if ends > here then return {'banned', ends - here} end

local offset = tonumber(address.offset) or 0
if words[1] ~= '' then offset = tonumber(words[1]) - here end
local now = here + offset
local weight, share, orders, orders_share = tonumber(words[2]), tonumber(words[3]), tonumber(words[4]), tonumber(words[5])
local customer, kind, requests = words[6], words[7], tonumber(words[8])

local function full(what, milliseconds)
  redis.call('HINCRBY', KEYS[1], 'refused.' .. kind .. '.' .. what, 1)
  return {'full', what, milliseconds}
end

local weights, raws = windows(address, 'weight', now), windows(address, 'raw', now)
for _, one in ipairs(weights) do
  if weight > 0 and used(one) + weight > math.floor(one.most * share / 100) then return full('weight', one.left) end
  one.new = one.new + weight
end
for _, one in ipairs(raws) do
  if requests > 0 and one.base + requests > math.floor(one.most * share / 100) then return full('raw', one.left) end
  one.base = one.base + requests
end

local function customers_of(one, number)
  local found, flat = {}, redis.call('HGETALL', KEYS[2] .. ':' .. one.seconds .. ':' .. number)
  for i = 1, #flat, 2 do found[flat[i]] = tonumber(flat[i + 1]) end
  return found
end

-- While more than half of the orders is used, others are kept what they had in the window before, an equal part at most,
-- and whoever comes anew a part that is smaller the more they are. An equal part is everybody's.
local function is_fair(one, most)
  if used(one) + orders <= most / 2 then return true end
  if one.seconds > 60 then  -- they would be too many to look at
    local place = KEYS[2] .. ':' .. one.seconds .. ':' .. one.number
    local own, count = tonumber(redis.call('HGET', place, customer)) or 0, redis.call('HLEN', place)
    return own + orders <= math.max(orders, math.floor(most / (count + 1)))
  end
  local now_used, before, count = customers_of(one, one.number), customers_of(one, one.number - 1), 0
  local own = now_used[customer] or 0
  now_used[customer] = own
  for name in pairs(before) do now_used[name] = now_used[name] or 0 end
  for _ in pairs(now_used) do count = count + 1 end
  local kept = own > 0 and math.max(1, math.floor(most / ((count + 1) * (count + 1)))) or 0
  local equal = math.floor(most / count)
  for name, has in pairs(now_used) do
    if name ~= customer then kept = kept + math.max(0, math.min(before[name] or 0, equal) - has) end
  end
  return used(one) + orders + kept <= most or own + orders <= math.max(orders, math.floor(most / (count + 1)))
end

local counts, shares = {}, {}
if account then
  counts = windows(account, 'orders', now)
  for _, one in ipairs(counts) do
    local most = math.max(math.floor(one.most * orders_share / 100), math.min(one.most, orders))
    if used(one) + orders > most then return full('orders', one.left) end
    -- Just after a window began the venue may still count in the one before: what is sent now has to fit into both.
    local young = DOUBTFUL_MS - (now - one.number * one.seconds * 1000)
    if young > 0 and one.last + used(one) + orders > most then return full('orders', young) end
    -- Until the venue says what it counted before that was forgotten, few are under way: each answer says it.
    if one.doubt == 1 and one.new + one.old + orders > math.max(orders, math.floor(one.most / FEW)) then
      return full('orders', DOUBTFUL_MS)
    end
    local place = KEYS[2] .. ':' .. one.seconds .. ':' .. one.number
    if not is_fair(one, most) then return full('share', one.left) end
    shares[#shares + 1] = {place, one.seconds}
    one.new = one.new + orders
  end
  save(KEYS[2], counts)
  for _, one in ipairs(shares) do
    redis.call('HINCRBY', one[1], customer, orders)
    redis.call('EXPIRE', one[1], one[2] * 2)
  end
end
save(KEYS[1], weights, {'offset', offset})
if #raws > 0 then save(KEYS[1], raws) end
if requests > 0 then redis.call('HINCRBY', KEYS[1], 'calls.' .. kind, 1) end
return {'ok', address.epoch, account and account.epoch or '', here, now}
