-- Read before each of the others. Times are in milliseconds; windows begin at whole multiples of their length by the
-- venue's clock, which is this server's plus the offset that a process told last.

local DOUBTFUL_MS = 250  -- so long after a window began an answer may still speak of the one before
local FEW = 20  -- a twentieth of the orders is less than any share of them leaves

-- The arguments come as one text, with bars between them: that is less to send and to read.
local words = {}
for word in string.gmatch(ARGV[1] .. '|', '([^|]*)|') do words[#words + 1] = word end

local function here_ms()
  local at = redis.call('TIME')
  return at[1] * 1000 + math.floor(at[2] / 1000)
end

local function read(key)
  local found, flat = {}, redis.call('HGETALL', key)
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end

-- Every window of the limits written as "seconds:most,seconds:most", as it stands now: `base` is what the venue told or
-- was counted, `new` and `old` what is under way of this window and of the one before, `last` the end of that one.
local function windows(found, name, now)
  local all = {}
  for length, most in string.gmatch(found[name] or '', '(%d+):(%d+)') do
    local seconds, place = tonumber(length), name .. '.' .. length .. '.'
    local function part(part_name) return tonumber(found[place .. part_name]) or 0 end
    local one = {
      seconds = seconds, most = tonumber(most), place = place, number = math.floor(now / (seconds * 1000)),
      base = part('base'), at = part('at'), new = part('new'), old = part('old'), doubt = part('doubt'),
      last = part('last'),
    }
    local known = part('number')
    if known == one.number or known == one.number + 1 then
      one.number = known  -- another's clock may be a little ahead
    elseif known == one.number - 1 then
      one.last, one.base, one.at, one.old, one.new, one.doubt = one.base, 0, 0, one.new, 0, 0
    elseif known < one.number then
      one.last, one.base, one.at, one.old, one.new, one.doubt = 0, 0, 0, 0, 0, 0
    else  -- a clock was far ahead: what was counted stays until the venue says otherwise
      one.at, one.old, one.new, one.doubt = 0, 0, 0, 1
    end
    one.left = (one.number + 1) * seconds * 1000 - now
    all[#all + 1] = one
  end
  return all
end

local function used(one) return one.base + one.new + one.old end

local function save(key, all, more)
  local fields = more or {}
  for _, one in ipairs(all) do
    for _, name in ipairs({'number', 'base', 'at', 'new', 'old', 'doubt', 'last'}) do
      fields[#fields + 1] = one.place .. name
      fields[#fields + 1] = one[name]
    end
  end
  if #fields > 0 then redis.call('HSET', key, unpack(fields)) end
end
