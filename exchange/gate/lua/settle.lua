-- KEYS: the address, the account (only for orders). Words: here and now of the reservation; weight reserved, weight that
-- counts when nothing was told, what was told ("60=12,…"); the same three of orders; the customer and how many orders
-- are given back to them; "1" when the venue answered.
local here = here_ms()
local address = read(KEYS[1])
if not address.epoch then return 0 end
local now = here + (tonumber(address.offset) or 0)
local began, booked = tonumber(words[1]), tonumber(words[2])

local function settle(all, reserved, counted, told)
  local said = {}
  for seconds, count in string.gmatch(told, '(%d+)=(%d+)') do said[tonumber(seconds)] = tonumber(count) end
  for _, one in ipairs(all) do
    local number, length = math.floor(booked / (one.seconds * 1000)), one.seconds * 1000
    if number >= one.number then
      one.new = math.max(0, one.new - reserved)
    elseif number == one.number - 1 then
      one.old = math.max(0, one.old - reserved)
    end
    local count = said[one.seconds]
    local is_sure = one.doubt == 1 or now - one.number * length >= DOUBTFUL_MS
    if count and number >= one.number and (is_sure or one.last == 0 or count < one.last) then
      -- An answer to a question from before the latest one tells less than is known.
      if one.doubt == 1 or one.at <= began then
        one.base, one.at, one.doubt = count, here, 0
      else
        one.base = math.max(one.base, count)
      end
    else
      one.base = one.base + counted
    end
  end
  return all
end

local seen = words[11] == '1' and {'seen', here} or {}
save(KEYS[1], settle(windows(address, 'weight', now), tonumber(words[3]), tonumber(words[4]), words[5]), seen)
if KEYS[2] then
  local account, given_back = read(KEYS[2]), tonumber(words[10])
  if not account.epoch then return 0 end
  local counts = settle(windows(account, 'orders', now), tonumber(words[6]), tonumber(words[7]), words[8])
  save(KEYS[2], counts)
  for _, one in ipairs(counts) do
    local place = KEYS[2] .. ':' .. one.seconds .. ':' .. math.floor(booked / (one.seconds * 1000))
    if given_back > 0 and redis.call('HINCRBY', place, words[9], -given_back) <= 0 then
      redis.call('HDEL', place, words[9])
    end
  end
end
return 1
