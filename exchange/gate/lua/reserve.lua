-- KEYS: the address, the account (only for orders). ARGV: the venue's time or "", weight, the percentage of the weight
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
if ARGV[1] ~= '' then offset = tonumber(ARGV[1]) - here end
local now = here + offset
local weight, share, orders, orders_share = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local customer, kind, requests = ARGV[6], ARGV[7], tonumber(ARGV[8])

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

-- While more than half of the orders is used nobody has more than an equal part of them, one part kept for who comes.
local counts, shares = {}, {}
if account then
  counts = windows(account, 'orders', now)
  for _, one in ipairs(counts) do
    local most = math.max(math.floor(one.most * orders_share / 100), math.min(one.most, orders))
    if used(one) + orders > most then return full('orders', one.left) end
    local place = KEYS[2] .. ':' .. one.seconds .. ':' .. one.number
    local own = tonumber(redis.call('HGET', place, customer))
    if used(one) + orders > most / 2 then
      local customers = redis.call('HLEN', place) + (own and 0 or 1)
      local fair = math.max(orders, math.floor(most / (customers + 1)))
      if (own or 0) + orders > fair then return full('share', one.left) end
    end
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
