package redis

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// slot is the cluster slot of a key, as the Redis Cluster specification has it: CRC-16 (XMODEM) of what
// stands between the first { and the next }.
func slot(key string) int {
	for i := range key {
		if key[i] == '{' {
			key = key[i+1:]
			break
		}
	}
	var crc uint16
	for i := 0; i < len(key) && key[i] != '}'; i++ {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc % 16384)
}

func TestTheSlotOfTheSpecificationsExample(t *testing.T) {
	if got := slot("123456789"); got != 0x31C3 {
		t.Fatalf("slot of 123456789 is %#x, want 0x31c3", got)
	}
}

func TestKeysAreSpelledAsDocumented(t *testing.T) {
	k := keys{"yuexin:"}
	subscriber := submsg.SubscriberKey("wx1", "oABC") // in shard 12
	audience := submsg.AudiencePartition("wx1", "tpl", "公交{42}", 3)
	for _, c := range []struct{ got, want string }{
		{k.record(subscriber), "yuexin:{12bl}:r:19:subscriber#wx1#oABC:-"},
		{k.listed(subscriber.Partition), "yuexin:{12bl}:r:19:subscriber#wx1#oABC:"},
		{k.list(subscriber.Partition), "yuexin:{12bl}:l:subscriber#wx1#oABC"},
		{k.due(12), "yuexin:{12bl}:due"},
		{k.records(12) + name(subscriber), k.record(subscriber)},
		{k.listed(audience) + "oABC", k.record(submsg.Key{Partition: audience, Sort: "oABC"})},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestEveryKeyOfARecordIsInTheSlotOfItsShard(t *testing.T) {
	k := keys{"yuexin:"}
	rapid.Check(t, func(t *rapid.T) {
		key := submsg.Key{Partition: rapid.String().Draw(t, "partition"), Sort: rapid.String().Draw(t, "sort")}
		want := slot(k.due(key.Shard()))
		for _, got := range []string{k.record(key), k.list(key.Partition), k.listed(key.Partition), k.records(key.Shard())} {
			if slot(got) != want {
				t.Fatalf("%q is in slot %d, the due index in %d", got, slot(got), want)
			}
		}
	})
}

func TestEachShardHasItsSixteenthOfTheSlots(t *testing.T) {
	for shard, tag := range tags {
		if band := slot(tag) / 1024; band != shard {
			t.Errorf("tag %s of shard %d is in band %d of the slots", tag, shard, band)
		}
	}
	for _, masters := range []int{2, 3, 4, 8, 16} {
		load := make([]int, masters)
		for _, tag := range tags {
			load[slot(tag)*masters/16384]++
		}
		for i, n := range load {
			if n < 16/masters || n > (16+masters-1)/masters {
				t.Errorf("of %d masters, number %d carries %d of 16 shards", masters, i, n)
			}
		}
	}
}

func TestNamesAreUnambiguous(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("1:ab#约")))
		key := submsg.Key{Partition: text.Draw(t, "partition"), Sort: text.Draw(t, "sort")}
		if got, ok := parseName(name(key)); !ok || got != key {
			t.Fatalf("%q parses as %q, %v", name(key), got, ok)
		}
	})
	for _, s := range []string{"", "1", "1:", "2:a:", "-1:a:b", "x:a:b", "1:ab:c"} {
		if key, ok := parseName(s); ok {
			t.Errorf("%q parses as %q", s, key)
		}
	}
}

func TestRedisKeepsARecordPastItsEndByTheCallersClock(t *testing.T) {
	const now, hour = submsg.Instant(1_790_000_000_000), 3_600_000
	for _, c := range []struct {
		name    string
		expires submsg.Instant
		want    int64
	}{
		{"without an end, forever", 0, 0},
		{"for an hour after its end", now + 5, 5 + hour},
		{"for an hour from now, if it has ended", now - 5, hour},
		{"forever, if the end is out of sight", 1 << 62, 0},
	} {
		if got := keep(c.expires, now); got != c.want {
			t.Errorf("%s: keeps %d ms, want %d", c.name, got, c.want)
		}
	}
}
