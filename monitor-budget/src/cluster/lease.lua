-- One budget of a cluster: what its nodes have used, leased and owe. cluster.rs gives the rules.
--
-- KEYS[1]  the store itself, a hash: run, epoch, since, version, time, ahead, ttl
-- KEYS[2]  the budget, a hash:
--   e epoch it is valid in, and which of its lives that is    u used, the sum of the slots    l leased, the sum of the live leases    d debt
--   c live leases             due moment before which nothing leaves and no lease ends
--   s<end> tokens charged before that moment                  n<node> "seq nonce left expires charged"
--   h, hn until when who waits for tokens                     f largest total that is known to have been outstanding
--   q end of the seeding      b nothing was there when it began      o<node> "end:tokens ..." a node's own charges
-- All moments are milliseconds of the store's clock, which is moved ahead whenever it is stepped back.

local node, seq, nonce, ttl = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local known_epoch, known_version = ARGV[5], tonumber(ARGV[6])

local HUNGRY_MS = 3000
local NEVER = 2 ^ 52

local function text(number) return string.format('%.0f', number) end
local function floor_div(a, b) return math.floor(a / b) end

-- The store: its clock, and whether it is the one that was there before.

local clock = redis.call('TIME')
local wall = tonumber(clock[1]) * 1000 + floor_div(tonumber(clock[2]), 1000)
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if not run then return redis.error_reply('ERR this store does not tell its run_id') end
local store = redis.call('HMGET', KEYS[1], 'run', 'epoch', 'since', 'version', 'time', 'ahead', 'ttl')
local epoch, since, version = store[2], tonumber(store[3]) or 0, tonumber(store[4]) or 0
local time, ahead, grace = tonumber(store[5]) or 0, tonumber(store[6]) or 0, tonumber(store[7]) or 0
ahead = math.max(ahead, time - wall)
local now = wall + ahead
if store[1] ~= run or (known_epoch == epoch and known_version > version) then
  epoch, since, version, grace = string.sub(run, 1, 12) .. '-' .. nonce, now, 0, 0
end
version = version + 1
grace = math.max(grace, ttl)
redis.call('HSET', KEYS[1], 'run', run, 'epoch', epoch, 'since', text(since), 'version', text(version),
  'time', text(now), 'ahead', text(ahead), 'ttl', text(grace))
local settled_at = since + grace
if not KEYS[2] then
  return {'store', epoch, version, 0, 0, 0, 0, 0, 0, math.max(0, settled_at - now), wall}
end

local limit, kind = tonumber(ARGV[7]), ARGV[8]
local hold, sub = tonumber(ARGV[9]), tonumber(ARGV[10])
local period_start, period_end, next_end = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local spent, returned = tonumber(ARGV[14]), tonumber(ARGV[15])
local need, want = tonumber(ARGV[16]), tonumber(ARGV[17])
local lease_of, claim_total, claim_lease, own = ARGV[18], tonumber(ARGV[19]), tonumber(ARGV[20]), ARGV[21]

if kind == 'calendar' and (wall < period_start or wall >= period_end) then
  return {'period', epoch, version, 0, 0, 0, 0, 0, 0, 0, wall}
end

-- The budget as it was left.

local key = KEYS[2]
local had = redis.call('HMGET', key, 'e', 'u', 'l', 'd', 'c', 'due', 'h', 'hn', 'f', 'q', 'b', 'n' .. node)
local valid_in = had[1]
local used, leased, debt = tonumber(had[2]) or 0, tonumber(had[3]) or 0, tonumber(had[4]) or 0
local nodes, due = tonumber(had[5]) or 0, tonumber(had[6]) or NEVER
local hungry_until, hungry_node = tonumber(had[7]) or 0, had[8]
local known_total, seeding_until, blank = tonumber(had[9]) or 0, tonumber(had[10]), had[11] == '1'

local function read(record)
  if not record then return nil end
  local a, b, c, d, e = string.match(record, '^(%S+) (%S+) (%S+) (%S+) (%S+)$')
  return {seq = tonumber(a), nonce = b, left = tonumber(c), expires = tonumber(d), charged = tonumber(e)}
end
local function write(name, r)
  redis.call('HSET', key, 'n' .. name,
    text(r.seq) .. ' ' .. r.nonce .. ' ' .. text(r.left) .. ' ' .. text(r.expires) .. ' ' .. text(r.charged))
end

-- The slot of a charge made at a moment, named by its end, and when it leaves the window.
local function slot_of(moment)
  if kind == 'calendar' then return period_end end
  return (floor_div(moment, sub) + 1) * sub
end
local function leaves(slot)
  if kind == 'calendar' then
    if slot <= period_start then return 0 end
    return slot + ahead
  end
  return slot + hold
end
local function charge(slot, tokens)
  if tokens == 0 or kind == 'open' then return end
  redis.call('HINCRBY', key, 's' .. text(slot), text(tokens))
  used = used + tokens
  due = math.min(due, leaves(slot))
end

-- Takes out what has left the window, and charges in full the leases of nodes that were not heard of in time.
local function sweep()
  due = NEVER
  local all, slots, records = redis.call('HGETALL', key), {}, {}
  for i = 1, #all, 2 do
    local first, rest = string.sub(all[i], 1, 1), string.sub(all[i], 2)
    if first == 's' then
      slots[tonumber(rest)] = tonumber(all[i + 1])
    elseif first == 'n' then
      records[rest] = read(all[i + 1])
    end
  end
  if kind == 'calendar' then
    -- After a step back of the clock no charge lies more than one period ahead.
    local far = {}
    for slot in pairs(slots) do
      if slot > next_end then far[#far + 1] = slot end
    end
    for _, slot in ipairs(far) do
      redis.call('HDEL', key, 's' .. text(slot))
      redis.call('HINCRBY', key, 's' .. text(next_end), text(slots[slot]))
      slots[next_end] = (slots[next_end] or 0) + slots[slot]
      slots[slot] = nil
    end
  end
  nodes = 0
  for name, r in pairs(records) do
    if r.charged == 0 and r.expires > now then
      nodes = nodes + 1
      due = math.min(due, r.expires)
    elseif r.charged == 0 then
      leased = leased - r.left
      r.charged = slot_of(r.expires)
      if kind == 'calendar' and r.expires - ahead < period_start then r.charged = period_start end
      if r.left == 0 or kind == 'open' or leaves(r.charged) <= now then
        redis.call('HDEL', key, 'n' .. name)
      else
        slots[r.charged] = (slots[r.charged] or 0) + r.left
        charge(r.charged, r.left)
        write(name, r)
      end
    elseif leaves(r.charged) <= now then
      redis.call('HDEL', key, 'n' .. name)
    end
  end
  for slot, tokens in pairs(slots) do
    if leaves(slot) <= now then
      redis.call('HDEL', key, 's' .. text(slot))
      used = used - tokens
    else
      due = math.min(due, leaves(slot))
    end
  end
end

-- What is owed takes room before anybody is granted it.
local function drain()
  local drained = math.max(0, math.min(debt, limit - used - leased))
  debt = debt - drained
  charge(slot_of(now), drained)
end

-- A node's lease as if it had never ended; empty when its charge has left the window.
local function alive(record)
  local r = read(record)
  if r and r.charged ~= 0 then
    if r.left > 0 then redis.call('HINCRBY', key, 's' .. text(r.charged), text(-r.left)) end
    used = used - r.left
    leased = leased + r.left
    r.charged = 0
    nodes = nodes + 1
  end
  return r
end

local function answer(status, left, wait)
  redis.call('HSET', key, 'e', valid_in, 'u', text(used), 'l', text(leased), 'd', text(debt), 'c', text(nodes),
    'due', text(due), 'f', text(known_total), 'h', text(hungry_until), 'hn', hungry_node or '')
  if seeding_until then
    redis.call('HSET', key, 'q', text(seeding_until), 'b', blank and '1' or '0')
  end
  -- What nobody asks for any more goes once all of it would have left the window, debt included.
  local turn = hold + sub
  if kind == 'calendar' then turn = next_end - period_start end
  redis.call('PEXPIRE', key, text(turn * (1 + math.min(1000, math.ceil(debt / math.max(1, limit)))) + 4 * grace))
  local hungry = 0
  if hungry_until > now and hungry_node ~= node then hungry = 1 end
  return {status, valid_in, version, left, used, leased, debt, nodes, hungry, wait, wall}
end

local current = valid_in and string.sub(valid_in, 1, #epoch + 1) == epoch .. '/'
if valid_in and (due <= now or not current) then sweep() end

-- A budget that this epoch does not know: new, lost, or as it was some time ago.

local claimed = lease_of ~= '' and claim_total + claim_lease > 0
if not current then
  known_total = used + leased + debt
  if valid_in or claimed or now < settled_at then
    seeding_until = settled_at
    if claimed then seeding_until = math.max(settled_at, now + grace) end
    blank = not valid_in
    hungry_until, leased, nodes = 0, 0, 0
    for _, field in ipairs(redis.call('HKEYS', key)) do
      local first = string.sub(field, 1, 1)
      if first == 'n' or first == 'o' then redis.call('HDEL', key, field) end
    end
  end
  valid_in = epoch .. '/' .. text(version)
end

local record = redis.call('HGET', key, 'n' .. node)

if seeding_until then
  -- Set, never added: however often a node says it, it counts once.
  local r = alive(record)
  if not r then
    nodes = nodes + 1
    r = {left = 0}
  end
  leased = leased - r.left + claim_lease
  known_total = math.max(known_total, claim_total)
  r = {seq = seq - 1, nonce = '-', left = claim_lease, expires = now + ttl, charged = 0}
  due = math.min(due, r.expires)
  write(node, r)
  if blank and own ~= '' then
    local placed = {}
    for age, tokens in string.gmatch(own, '(%d+):(%d+)') do
      placed[#placed + 1] = text(slot_of(now - tonumber(age))) .. ':' .. tokens
    end
    redis.call('HSET', key, 'o' .. node, table.concat(placed, ' '))
  end
  if now < seeding_until then
    return answer('seeding', r.left, seeding_until - now)
  end
  -- Charges of which a node told the moment go there, the rest of the known total counts from now.
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == 'o' then
      for slot, tokens in string.gmatch(all[i + 1], '(%d+):(%d+)') do
        if leaves(tonumber(slot)) > now then charge(tonumber(slot), tonumber(tokens)) end
      end
      redis.call('HDEL', key, all[i])
    end
  end
  debt = debt + math.max(0, known_total - used - leased - debt)
  seeding_until = nil
  redis.call('HDEL', key, 'q', 'b')
  record = redis.call('HGET', key, 'n' .. node)
elseif claimed and lease_of ~= valid_in and not record then
  -- It comes after the seeding: its lease counts as used, like all that others knew of and it did not tell.
  if claim_total > known_total then
    debt = debt + claim_total - known_total
    known_total = claim_total
  end
end

-- The lease.

local r = read(record)
local again = r and r.seq == seq and r.nonce == nonce
if r and not again and seq <= r.seq then
  return answer('replaced', 0, 0)
end
r = alive(record)
if not r then
  nodes = nodes + 1
  r = {left = 0, charged = 0}
end
if not again then
  local within = math.min(spent, r.left)
  local back = math.min(returned, r.left - within)
  r.left = r.left - within - back
  leased = leased - within - back
  charge(slot_of(now), within)
  debt = debt + spent - within
end
drain()
if not again then
  local room = math.max(0, limit - used - leased)
  if debt > 0 then room = 0 end
  local others_hungry = hungry_until > now and hungry_node ~= node
  local granted = 0
  if room >= need then
    local fair = math.max(need, floor_div(room, math.max(1, nodes)))
    if others_hungry then fair = need end
    granted = math.min(want, room, fair)
    if hungry_node == node then hungry_until = 0 end
  elseif not others_hungry then
    hungry_until, hungry_node = now + HUNGRY_MS, node
  end
  r.left = r.left + granted
  leased = leased + granted
  r.seq, r.nonce = seq, nonce
end
r.expires = now + ttl
due = math.min(due, r.expires)
write(node, r)
return answer('ok', r.left, math.max(0, due - now))
