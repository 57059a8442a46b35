"""Lua scripts of the ledger: every change of a job is one of them, and Redis runs each whole or not at all.

``KEYS[1]`` is the job, whose parts ``koebin.tasks.jobs.ledger`` lists; of ``IN_STATE`` it is a set of jobs.
"""

from __future__ import annotations

from typing import Final

# 0: the ledger knows the job; 1: write its slices; 2: another process is writing them.
BEGIN: Final = """
local job = KEYS[1]
if redis.call('EXISTS', job) == 1 then return 0 end
if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'EX', ARGV[2]) then return 2 end
for at = 3, #ARGV do redis.call('UNLINK', job .. ARGV[at]) end
return 1
"""
KNOWN: Final = 0
BEGUN: Final = 1

# Slices of a job that the ledger does not know yet. They expire unless the job is entered.
SLICE: Final = """
local job = KEYS[1]
if redis.call('EXISTS', job) == 1 or redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
redis.call('EXPIRE', KEYS[2], 30)
local planned = {}
for _, chunk in ipairs(cjson.decode(ARGV[1])) do
  redis.call('HSET', job .. ':chunks', chunk[1], chunk[2] .. ' ' .. chunk[3])
  if chunk[4] == 1 then
    redis.call('SADD', job .. ':done', chunk[1])
  else
    redis.call('ZADD', job .. ':planned:' .. chunk[2], chunk[1], chunk[1])
    planned[chunk[2]] = true
  end
end
redis.call('EXPIRE', job .. ':chunks', ARGV[2])
redis.call('EXPIRE', job .. ':done', ARGV[2])
for speaker, _ in pairs(planned) do redis.call('EXPIRE', job .. ':planned:' .. speaker, ARGV[2]) end
return 1
"""

# The commit: until then nobody sees the job.
CREATE: Final = """
local job = KEYS[1]
if redis.call('EXISTS', job) == 1 or redis.call('GET', KEYS[2]) ~= ARGV[4] then return 0 end
local fields = cjson.decode(ARGV[1])
for name, value in pairs(fields) do redis.call('HSET', job, name, value) end
for _, suffix in ipairs(cjson.decode(ARGV[2])) do redis.call('PERSIST', job .. suffix) end
redis.call('HSET', job, 'done', redis.call('SCARD', job .. ':done'))
redis.call('ZADD', KEYS[3], fields['created'], ARGV[3])
redis.call('XADD', job .. ':events', 'MAXLEN', '~', 1000, '*', 'event', 'submitted')
redis.call('DEL', KEYS[2])
return 1
"""

MOVE_TO_OPEN: Final = """
local job, speaker = KEYS[1], ARGV[1]
if redis.call('HGET', job, 'state') ~= 'RUNNING' then return {} end
local room = tonumber(ARGV[2]) - redis.call('ZCARD', job .. ':open:' .. speaker)
if room <= 0 then return {} end
local taken = redis.call('ZPOPMIN', job .. ':planned:' .. speaker, room)
local numbers = {}
for i = 1, #taken, 2 do
  redis.call('ZADD', job .. ':open:' .. speaker, ARGV[3], taken[i])
  table.insert(numbers, taken[i])
end
if #numbers > 0 then redis.call('HDEL', job, 'waiting') end
return numbers
"""

# Returns the job's state, "" if the ledger does not know the job; ASSEMBLE for the chunk that completes it.
MARK_DONE: Final = """
local job, chunk, speaker = KEYS[1], ARGV[1], ARGV[2]
local state = redis.call('HGET', job, 'state')
if not state then return '' end
redis.call('ZREM', job .. ':open:' .. speaker, chunk)
redis.call('ZREM', job .. ':planned:' .. speaker, chunk)
if redis.call('SADD', job .. ':done', chunk) == 1 then
  redis.call('HINCRBY', job, 'done', 1)
  redis.call('HINCRBY', job, 'reused', ARGV[3])
  redis.call('HINCRBY', job, 'rendered', ARGV[4])
  redis.call('HINCRBYFLOAT', job, 'seconds_done', ARGV[5])
  redis.call('HINCRBYFLOAT', job, 'wall_seconds', ARGV[6])
  redis.call('HSET', job, 'updated', ARGV[7])
  redis.call('XADD', job .. ':events', 'MAXLEN', '~', 1000, '*', 'event', 'chunk', 'chunk', chunk, 'seconds', ARGV[5])
end
if state == 'RUNNING' and redis.call('SCARD', job .. ':done') >= tonumber(redis.call('HGET', job, 'chunks')) then
  redis.call('HSET', job, 'state', 'ASSEMBLING', 'updated', ARGV[7], 'assembling', ARGV[7])
  redis.call('XADD', job .. ':events', 'MAXLEN', '~', 1000, '*', 'event', 'assembling')
  return 'ASSEMBLE'
end
return state
"""

RETURN: Final = """
local job, chunk, speaker = KEYS[1], ARGV[1], ARGV[2]
if redis.call('ZREM', job .. ':open:' .. speaker, chunk) == 1 then
  redis.call('ZADD', job .. ':planned:' .. speaker, chunk, chunk)
  if ARGV[3] ~= '' then redis.call('HSET', job, 'waiting', ARGV[3]) end
end
return 1
"""

WAIT: Final = """
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'RUNNING' or state == 'ASSEMBLING' then redis.call('HSET', KEYS[1], 'waiting', ARGV[1]) end
return 1
"""

END: Final = """
local job = KEYS[1]
local state = redis.call('HGET', job, 'state')
if not state or (state ~= 'RUNNING' and state ~= 'ASSEMBLING') then return state or '' end
redis.call('HSET', job, 'state', ARGV[1], 'error', ARGV[2], 'updated', ARGV[3])
redis.call('HDEL', job, 'waiting')
redis.call('ZREM', KEYS[2], ARGV[4])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', redis.call('TIME')[1] - ARGV[5])
local webhook = redis.call('HGET', job, 'webhook')
if webhook and webhook ~= '' then redis.call('ZADD', KEYS[4], redis.call('TIME')[1], ARGV[4]) end
redis.call('XADD', job .. ':events', 'MAXLEN', '~', 1000, '*', 'event', 'ended', 'state', ARGV[1])
for _, suffix in ipairs(cjson.decode(ARGV[6])) do redis.call('UNLINK', job .. suffix) end
for _, suffix in ipairs({'', ':done', ':chunks', ':dead', ':events'}) do
  redis.call('EXPIRE', job .. suffix, ARGV[5])
end
return ARGV[1]
"""

# Exact while few are left; of more chunks the count at their mean, for they are sized by work.
REMAINING: Final = """
local job, count, numbers = KEYS[1], 0, {}
for at = 2, #ARGV do
  local planned, open = job .. ':planned:' .. ARGV[at], job .. ':open:' .. ARGV[at]
  count = count + redis.call('ZCARD', planned) + redis.call('ZCARD', open)
  if count <= tonumber(ARGV[1]) then
    for _, number in ipairs(redis.call('ZRANGE', planned, 0, -1)) do table.insert(numbers, number) end
    for _, number in ipairs(redis.call('ZRANGE', open, 0, -1)) do table.insert(numbers, number) end
  end
end
if count == 0 then return '0' end
if count > tonumber(ARGV[1]) then
  local fields = redis.call('HMGET', job, 'seconds', 'chunks')
  return tostring(count * tonumber(fields[1] or 0) / math.max(1, tonumber(fields[2] or 1)))
end
local seconds = 0
for _, value in ipairs(redis.call('HMGET', job .. ':chunks', unpack(numbers))) do
  seconds = seconds + (value and tonumber(string.match(value, '[^ ]+$')) or 0)
end
return tostring(seconds)
"""

# What the ledger has dropped is no job any more.
IN_STATE: Final = """
local found = {}
for _, id in ipairs(redis.call(ARGV[1], KEYS[1], ARGV[2], ARGV[3])) do
  local state = redis.call('HGET', 'koebin:job:' .. id, 'state')
  if state and (ARGV[4] == '' or state == ARGV[4]) then table.insert(found, id) end
end
return found
"""
