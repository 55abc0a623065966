package redis

import (
	"strconv"
	"strings"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// tags are the hash tags of the shards of the due index: all keys of one shard have one tag, so a
// record, the list index of its partition and the due index that it may appear in sit in one slot, and
// one script can change them together.
//
// A cluster spreads slots over its masters in equal ranges. The letters make each tag hash near the middle of
// its own sixteenth of the slots, so that 2, 4, 8 or 16 masters carry equally many of them, and 3 carry
// five or six each. They are part of the data layout and never change.
var tags = [submsg.DueShards]string{
	"{00td}", "{01ud}", "{02y}", "{03wd}", "{04r}", "{05qd}", "{06rd}", "{07sd}",
	"{08ca}", "{09c}", "{10r}", "{11pn}", "{12bl}", "{13cl}", "{14un}", "{15tn}",
}

// alone is the sort key of records that have their partition to themselves, as submsg makes it. They are
// the great majority, and kept out of the list index: an index entry for each would cost a seventh more memory.
const alone = "-"

// keys builds the names of everything that the store keeps; prefix sets it apart from what others keep on the
// same server. For the record with sort key S of partition P in shard 7, P being n bytes long:
//
//	yuexin:{07sd}:r:n:P:S   string     the record
//	yuexin:{07sd}:l:P       sorted set the sort keys in partition P, all with score 0
//	yuexin:{07sd}:due       sorted set the names (n:P:S) of what is due, with the instant as score
type keys struct{ prefix string }

// records is what the names of all records of a shard begin with.
func (k keys) records(shard int) string { return k.prefix + tags[shard] + ":r:" }

// record is where a record is kept.
func (k keys) record(key submsg.Key) string { return k.records(key.Shard()) + name(key) }

// listed is what the names of all records of a partition begin with.
func (k keys) listed(partition string) string {
	return k.record(submsg.Key{Partition: partition})
}

// list is the list index of a partition.
func (k keys) list(partition string) string {
	return k.prefix + tags[submsg.Key{Partition: partition}.Shard()] + ":l:" + partition
}

// due is the due index of a shard.
func (k keys) due(shard int) string { return k.prefix + tags[shard] + ":due" }

// name spells a key without ambiguity whatever is in it: topics, in partitions, are the caller's own text.
func name(key submsg.Key) string {
	return strconv.Itoa(len(key.Partition)) + ":" + key.Partition + ":" + key.Sort
}

// parseName is the inverse of name; false for anything that name does not make.
func parseName(s string) (submsg.Key, bool) {
	length, rest, _ := strings.Cut(s, ":")
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || n >= len(rest) || rest[n] != ':' {
		return submsg.Key{}, false
	}
	return submsg.Key{Partition: rest[:n], Sort: rest[n+1:]}, true
}
