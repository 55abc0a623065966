package redis

import goredis "github.com/redis/go-redis/v9"

// Each script changes or reads one shard, whose keys share a slot. A record's value begins with a line of
// "version expires due kind", so a script reads what it must decide on with GETRANGE and leaves the body alone.
// Versions are compared as text: Lua's numbers are float64 and would round them.
//
// The second key of list and due is what the names of the shard's records begin with; scripts add the names that
// they find in the index. Those are keys of the same slot, though not declared one by one.

// What save and remove return.
const (
	refused = 0 // the stored version is another one
	done    = 1
	absent  = 2 // nothing live is stored (remove only)
)

// save writes a record and its index entries on condition of its version.
//
//	KEYS[1] the record         KEYS[2] the list index     KEYS[3] the due index
//	ARGV[1] expected version   ARGV[2] new version        ARGV[3] now, ms
//	ARGV[4] the whole value    ARGV[5] ms to keep it, 0: forever
//	ARGV[6] due, ms, 0: not    ARGV[7] name in the due index
//	ARGV[8] sort key to list it under, "": not listed
//
// Returns done or refused. A stored version that is the new one already is our own, of an attempt whose answer
// was lost: it is written again, so that a WAIT that follows has a write to wait for.
var save = goredis.NewScript(`
local head = redis.call('GETRANGE', KEYS[1], 0, 63)
local version, expires = string.match(head, '^(%d+) (%d+) ')
if head ~= '' and not version then
  return redis.error_reply('FOREIGN a record does not begin with a version')
end
if version ~= ARGV[2] then
  if version and expires ~= '0' and tonumber(expires) <= tonumber(ARGV[3]) then version = nil end
  if (version or '0') ~= ARGV[1] then return 0 end
end
if ARGV[5] == '0' then
  redis.call('SET', KEYS[1], ARGV[4])
else
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
end
if ARGV[8] ~= '' then redis.call('ZADD', KEYS[2], 0, ARGV[8]) end
if ARGV[6] == '0' then
  redis.call('ZREM', KEYS[3], ARGV[7])
else
  redis.call('ZADD', KEYS[3], ARGV[6], ARGV[7])
end
return 1
`)

// remove deletes a record and its index entries on condition of its version.
//
//	KEYS[1] the record         KEYS[2] the list index     KEYS[3] the due index
//	ARGV[1] expected version   ARGV[2] now, ms
//	ARGV[3] name in the due index                         ARGV[4] sort key it is listed under
//
// Returns done, refused or absent.
var remove = goredis.NewScript(`
local version, expires = string.match(redis.call('GETRANGE', KEYS[1], 0, 63), '^(%d+) (%d+) ')
if not version or expires ~= '0' and tonumber(expires) <= tonumber(ARGV[2]) then return 2 end
if version ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[4])
redis.call('ZREM', KEYS[3], ARGV[3])
return 1
`)

// list reads the live records of a partition in the order of the list index, and clears away entries
// whose record Redis has removed. Clearing may fail where replicas are missing; the next call does it then.
//
//	KEYS[1] the list index     KEYS[2] what the records' names begin with
//	ARGV[1] where to start: "-" or "(" and a sort key
//	ARGV[2] most records to return    ARGV[3] now, ms    ARGV[4] most entries to look at
//	ARGV[5] the sort key of a record that is not in the index, to be read as well; "": none
//
// Returns {next, value of ARGV[5] or "", sort key, value, sort key, value, …}; next is where to go on from if
// ARGV[4] was reached before either the limit or the end, else "".
var list = goredis.NewScript(`
local out, from, limit, budget = {'', ''}, ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
if ARGV[5] ~= '' then out[2] = redis.call('GET', KEYS[2] .. ARGV[5]) or '' end
while #out < 2 * limit + 2 do
  local want = math.min(limit - (#out - 2) / 2, budget)
  if want == 0 then out[1] = from break end
  local sorts = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, want)
  for _, sort in ipairs(sorts) do
    local value = redis.call('GET', KEYS[2] .. sort)
    if not value then
      redis.pcall('ZREM', KEYS[1], sort)
    else
      local expires = string.match(value, '^%d+ (%d+) ')
      if not expires or expires == '0' or tonumber(expires) > tonumber(ARGV[3]) then
        out[#out + 1] = sort
        out[#out + 1] = value
      end
    end
    from = '(' .. sort
  end
  budget = budget - #sorts
  if #sorts < want then break end
end
return out
`)

// due reads the due index, soonest first, leaves out what has expired and clears away entries that their
// record does not bear out any more.
//
//	KEYS[1] the due index      KEYS[2] what the records' names begin with
//	ARGV[1] until, ms          ARGV[2] most entries to return
//	ARGV[3] now, ms            ARGV[4] most entries to look at
//	ARGV[5] how many entries to pass over
//
// Returns {next, name, due, name, due, …}; next is the ARGV[5] to go on with if ARGV[4] was reached before
// either the limit or the end, else "".
var due = goredis.NewScript(`
local out, limit, budget, pass = {''}, tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
while #out < 2 * limit + 1 do
  local want = math.min(limit - (#out - 1) / 2, budget)
  if want == 0 then out[1] = tostring(pass) break end
  local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', pass, want)
  for i = 1, #found, 2 do
    local head = redis.call('GETRANGE', KEYS[2] .. found[i], 0, 95)
    local expires, due = string.match(head, '^%d+ (%d+) (%d+) ')
    if not due or tonumber(due) ~= tonumber(found[i + 1]) then
      if type(redis.pcall('ZREM', KEYS[1], found[i])) == 'table' then pass = pass + 1 end
    else
      pass = pass + 1
      if expires == '0' or tonumber(expires) > tonumber(ARGV[3]) then
        out[#out + 1] = found[i]
        out[#out + 1] = due
      end
    end
  end
  budget = budget - #found / 2
  if #found / 2 < want then break end
end
return out
`)
