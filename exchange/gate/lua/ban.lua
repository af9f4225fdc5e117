-- KEYS[1] is banned for words[1] milliseconds at least.
local ends = here_ms() + tonumber(words[1])
if ends > (tonumber(redis.call('HGET', KEYS[1], 'ban')) or 0) then redis.call('HSET', KEYS[1], 'ban', ends) end
return 1
